package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

type fault struct {
	Kind    string `json:"kind"`
	Line    int    `json:"line"`
	Message string `json:"message"`
}

type pair struct {
	Name  string  `json:"name"`
	Value *string `json:"value"`
}

type stage struct {
	Index     int     `json:"index"`
	Name      *string `json:"name"`
	Line      int     `json:"line"`
	BaseRaw   string  `json:"baseRaw"`
	Base      string  `json:"base"`
	Kind      string  `json:"kind"`
	BaseStage *int    `json:"baseStage"`
	Platform  *string `json:"platform"`
}

type use struct {
	Source string `json:"source"`
	Stage  int    `json:"stage"`
	Line   int    `json:"line"`
	Raw    string `json:"raw"`
	named
	Platform *string `json:"platform"`
}

type syntax struct {
	Raw       string  `json:"raw"`
	Canonical *string `json:"canonical"`
}

type dockerfileAnswer struct {
	Error      *fault   `json:"error"`
	Escape     string   `json:"escape"`
	Syntax     *syntax  `json:"syntax"`
	GlobalArgs []pair   `json:"globalArgs"`
	Stages     []stage  `json:"stages"`
	Images     []use    `json:"images"`
	Reachable  []string `json:"reachableImages"`
	Onbuild    []string `json:"onbuildImages"`
	Unresolved []string `json:"unresolvedArgs"`
}

// resolver stands for registries: every image exists, and what was asked for is written down.
type resolver struct {
	lock  sync.Mutex
	asked []string
}

func (r *resolver) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	r.lock.Lock()
	r.asked = append(r.asked, ref)
	r.lock.Unlock()
	platform := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil {
		platform = *opt.ImageOpt.Platform
	}
	layer := digest.FromString(ref)
	config, err := json.Marshal(ocispecs.Image{Platform: platform, RootFS: ocispecs.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer}}})
	return ref, "", config, err
}

// kinds maps words of an error to its kind; the first that matches wins.
var kinds = []struct{ words, kind string }{
	{"failed to parse check option", "directive"},
	{"failed to parse stage name", "reference"},
	{"checksum", "other"},
	{"invalid containerPort", "other"},
	{"invalid hostPort", "other"},
	{"cannot be empty", "empty"},
	{"file with no instructions", "empty"},
	{"greater than max allowed size", "line-too-long"},
	{"parser directive can be used", "directive"},
	{"invalid escape token", "directive"},
	{"no build stage in current context", "no-stage"},
	{"no stages to build", "no-stage"},
	{"unknown instruction", "unknown-instruction"},
	{"FROM requires either", "from-syntax"},
	{"invalid name for build stage", "stage-name"},
	{"unterminated heredoc", "heredoc"},
	{"cannot accept a heredoc", "heredoc"},
	{"isn't allowed as an ONBUILD trigger", "onbuild"},
	{"Chaining ONBUILD", "onbuild"},
	{"onbuild trigger should be", "onbuild"},
	{"unknown flag", "flag"},
	{"duplicate flag", "flag"},
	{"missing a value on flag", "flag"},
	{"expecting boolean value for flag", "flag"},
	{"csv devices", "flag"},
	{"csv mounts", "mount"},
	{"doesn't support variable expansion", "mount"},
	{"unsupported mount type", "mount"},
	{"mount type '", "mount"},
	{"type mounts", "mount"},
	{"secret mount", "mount"},
	{"sharing", "mount"},
	{"source and id", "mount"},
	{"invalid mount target", "mount"},
	{"must be a key=value pair", "mount"},
	{"unexpected key", "mount"},
	{"invalid value", "mount"},
	{"base name (", "blank-base"},
	{"empty platform value", "platform"},
	{"failed to parse platform", "platform"},
	{"variable expansion is not supported for --from", "copy-from"},
	{"invalid stage index", "copy-from"},
	{"needs to be defined before", "stage-order"},
	{"circular dependency", "stage-order"},
	{"target stage", "stage-order"},
	{"failed to process", "substitution"},
	{"device", "flag"},
	{"network mode", "flag"},
	{"security", "flag"},
	{"time: ", "flag"},
	{"cannot be less than", "flag"},
	{"--retries", "flag"},
	{"strconv.ParseInt", "flag"},
	{"requires", "instruction-syntax"},
	{"must have two arguments", "instruction-syntax"},
	{"can't find =", "instruction-syntax"},
	{"names can not be blank", "instruction-syntax"},
	{"JSON", "instruction-syntax"},
	{"HEALTHCHECK", "instruction-syntax"},
	{"VOLUME specified", "instruction-syntax"},
}

// faultOf gives an error its kind; "other" is a check that does not concern images.
func faultOf(err error) *fault {
	out := &fault{Kind: "other", Message: err.Error()}
	for _, known := range kinds {
		if strings.Contains(out.Message, known.words) {
			out.Kind = known.kind
			break
		}
	}
	// Fields of a mount are read when stages are resolved, those of a device with the instruction.
	if out.Kind == "mount" && strings.HasPrefix(out.Message, "dockerfile parse error") &&
		(strings.Contains(out.Message, "key") || strings.Contains(out.Message, "invalid value")) {
		out.Kind = "flag"
	}
	var located *parser.LocationError
	if errors.As(err, &located) && len(located.Locations) > 0 && len(located.Locations[0]) > 0 {
		out.Line = located.Locations[0][0].Start.Line
	}
	// The parser counts lines it has finished with, so these two name the line before.
	if (out.Kind == "directive" && located != nil) || out.Kind == "line-too-long" {
		out.Line++
	}
	return out
}

func platformOf(text string) (*ocispecs.Platform, error) {
	if text == "" {
		text = "linux/amd64"
	}
	parsed, err := platforms.Parse(text)
	normal := platforms.Normalize(parsed)
	return &normal, err
}

func inspectDockerfile(q question) any {
	dt := []byte(q.Text)
	out := dockerfileAnswer{Escape: "\\"}
	if ref, raw, _, ok := parser.DetectSyntax(dt); ok {
		out.Syntax = &syntax{Raw: raw}
		if image, err := parseImage(ref); err == nil {
			out.Syntax.Canonical = &image.Canonical
		}
	}
	target, err := platformOf(q.Platform)
	build := target
	if q.BuildPlatform != "" {
		var buildErr error
		build, buildErr = platformOf(q.BuildPlatform)
		err = errors.Join(err, buildErr)
	}
	if err != nil {
		out.Error = &fault{Kind: "platform", Line: 1, Message: err.Error()}
		return out
	}
	parsed, err := parser.Parse(bytes.NewReader(dt))
	if err == nil {
		out.Escape = string(parsed.EscapeToken)
	}
	images := &resolver{}
	_, err = dockerfile2llb.Dockerfile2LLB(context.Background(), dt, dockerfile2llb.ConvertOpt{
		Config:         dockerui.Config{BuildArgs: q.BuildArgs, Target: q.Target, BuildPlatforms: []ocispecs.Platform{*build}},
		TargetPlatform: target,
		MetaResolver:   images,
	})
	if err != nil {
		out.Error = faultOf(err)
		return out
	}
	slices.Sort(images.asked)
	out.Reachable = slices.Compact(images.asked)
	if err := tell(&out, parsed, q, *target, *build); err != nil {
		out.Error = faultOf(err)
	}
	return out
}

// arguments are the ARGs that FROM lines see.
type arguments map[string]string

func (a arguments) Get(name string) (string, bool) { value, ok := a[name]; return value, ok }
func (a arguments) Keys() []string                 { return nil }

func predefined(q question, target, build ocispecs.Platform, last string) arguments {
	if q.Target != "" {
		last = q.Target
	} else if last == "" {
		last = "default"
	}
	out := arguments{
		"BUILDPLATFORM": platforms.Format(build), "BUILDOS": build.OS, "BUILDOSVERSION": build.OSVersion,
		"BUILDARCH": build.Architecture, "BUILDVARIANT": build.Variant,
		"TARGETPLATFORM": platforms.FormatAll(target), "TARGETOS": target.OS, "TARGETOSVERSION": target.OSVersion,
		"TARGETARCH": target.Architecture, "TARGETVARIANT": target.Variant, "TARGETSTAGE": last,
	}
	for name := range out {
		if given, ok := q.BuildArgs[name]; ok {
			out[name] = given
		}
	}
	return out
}

// tell lists stages, images and arguments of a file that BuildKit accepts, from its own instructions.
func tell(out *dockerfileAnswer, parsed *parser.Result, q question, target, build ocispecs.Platform) error {
	stages, metaArgs, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return err
	}
	lexer := shell.NewLex(parsed.EscapeToken)
	args := predefined(q, target, build, stages[len(stages)-1].Name)
	for _, command := range metaArgs {
		for _, arg := range command.Args {
			if given, ok := q.BuildArgs[arg.Key]; ok {
				args[arg.Key] = given
			} else if arg.Value != nil {
				value, _, err := lexer.ProcessWord(*arg.Value, args)
				if err != nil {
					return err
				}
				args[arg.Key] = value
			}
			entry := pair{Name: arg.Key}
			if value, ok := args[arg.Key]; ok {
				entry.Value = &value
			}
			out.GlobalArgs = append(out.GlobalArgs, entry)
		}
	}
	unresolved := map[string]struct{}{}
	expand := func(word string) string {
		text, unmatched, _ := lexer.ProcessWord(word, args)
		for name := range unmatched {
			unresolved[name] = struct{}{}
		}
		return text
	}
	earlier, all := map[string]int{}, map[string]bool{}
	for _, st := range stages {
		all[st.Name] = st.Name != ""
	}
	onbuild := []string{}
	for i, st := range stages {
		entry := stage{Index: i, Line: st.Location[0].Start.Line, BaseRaw: st.BaseName, Base: expand(st.BaseName), Kind: "image"}
		if st.Name != "" {
			entry.Name = &st.Name
		}
		if st.Platform != "" {
			text := expand(st.Platform)
			entry.Platform = &text
		}
		if at, ok := earlier[entry.Base]; ok {
			entry.Kind, entry.BaseStage = "stage", &at
		} else if entry.Base == "scratch" {
			entry.Kind = "scratch"
		} else {
			image, err := parseImage(entry.Base)
			if err != nil {
				return err
			}
			out.Images = append(out.Images, use{Source: "from", Stage: i, Line: entry.Line, Raw: st.BaseName, named: image, Platform: entry.Platform})
		}
		out.Stages = append(out.Stages, entry)
		if st.Name != "" {
			earlier[st.Name] = i
		}
		for _, command := range st.Commands {
			prefix, taking := "", command
			if held, ok := command.(*instructions.OnbuildCommand); ok {
				prefix = "onbuild-"
				if taking = trigger(held.Expression); taking == nil {
					continue
				}
			}
			for _, from := range froms(taking) {
				_, notNumber := strconv.Atoi(from.name)
				if from.name == "" || from.name == "scratch" || all[strings.ToLower(from.name)] || from.source == "copy" && notNumber == nil {
					continue
				}
				image, err := parseImage(from.name)
				if err != nil && prefix == "" {
					return err
				} else if err != nil {
					continue
				}
				line := command.Location()[0].Start.Line
				out.Images = append(out.Images, use{Source: prefix + from.source, Stage: i, Line: line, Raw: from.name, named: image})
				if prefix != "" {
					onbuild = append(onbuild, image.Canonical)
				}
			}
		}
	}
	for name := range unresolved {
		out.Unresolved = append(out.Unresolved, name)
	}
	slices.Sort(out.Unresolved)
	slices.Sort(onbuild)
	out.Onbuild = slices.Compact(onbuild)
	return nil
}

type from struct{ source, name string }

func froms(command instructions.Command) (out []from) {
	switch c := command.(type) {
	case *instructions.CopyCommand:
		out = append(out, from{"copy", c.From})
	case *instructions.RunCommand:
		for _, mount := range instructions.GetMounts(c) {
			out = append(out, from{"mount", mount.From})
		}
	}
	return out
}

func trigger(expression string) instructions.Command {
	parsed, err := parser.Parse(strings.NewReader(expression))
	if err != nil || len(parsed.AST.Children) != 1 {
		return nil
	}
	command, err := instructions.ParseCommand(parsed.AST.Children[0])
	if err != nil {
		return nil
	}
	return command
}
