package main

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
)

// scenario is one question about tags. Pointers tell what is absent.
type scenario struct {
	ID         string   `json:"id"`
	Strategy   string   `json:"strategy"`
	Constraint string   `json:"constraint"`
	Strict     *bool    `json:"strict_semvers"`
	Allow      []string `json:"allow_tags_regexes"`
	Ignore     []string `json:"ignore_tags_regexes"`
	Limit      *int     `json:"discovery_limit"`
	Platform   string   `json:"platform"`
	Tags       []tag    `json:"tags"`
}

type tag struct {
	Tag       string   `json:"tag"`
	Created   string   `json:"created"`
	Platforms []string `json:"platforms"`
	date      time.Time
}

type tagsAnswer struct {
	ID       string   `json:"id"`
	Selected []string `json:"selected"`
	Error    string   `json:"error,omitempty"`
}

func compileAll(patterns []string) ([]*regexp.Regexp, bool) {
	var out []*regexp.Regexp
	for _, pattern := range patterns {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return nil, false
		}
		out = append(out, compiled)
	}
	return out, true
}

func anyMatches(patterns []*regexp.Regexp, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern *regexp.Regexp) bool { return pattern.MatchString(text) })
}

// selectTags follows Kargo's documented selection: filter, order best first, then the platform and the limit.
func selectTags(s scenario) any {
	out := tagsAnswer{ID: s.ID, Selected: []string{}}
	limit := 20
	if s.Limit != nil && *s.Limit != 0 {
		limit = *s.Limit
	}
	if limit < 1 {
		out.Error = "discovery-limit"
		return out
	}
	os, rest, ok := strings.Cut(s.Platform, "/")
	if s.Platform != "" && !ok {
		out.Error = "platform"
		return out
	}
	arch, variant, _ := strings.Cut(rest, "/")
	fits := func(candidate tag) bool {
		return s.Platform == "" || slices.ContainsFunc(candidate.Platforms, func(text string) bool {
			parts := append(strings.SplitN(text, "/", 3), "", "")
			return parts[0] == os && parts[1] == arch && parts[2] == variant
		})
	}
	if s.Strategy == "Digest" {
		if s.Constraint == "" {
			out.Error = "constraint"
			return out
		}
		for _, candidate := range s.Tags {
			if candidate.Tag == s.Constraint && fits(candidate) {
				out.Selected = append(out.Selected, candidate.Tag)
				break
			}
		}
		return out
	}
	allow, allowValid := compileAll(s.Allow)
	ignore, ignoreValid := compileAll(s.Ignore)
	if !allowValid || !ignoreValid {
		out.Error = "regex"
		return out
	}
	tags := slices.DeleteFunc(slices.Clone(s.Tags), func(candidate tag) bool {
		return anyMatches(ignore, candidate.Tag) || len(allow) > 0 && !anyMatches(allow, candidate.Tag)
	})
	reversed := func(a, b tag) int { return strings.Compare(b.Tag, a.Tag) }
	switch s.Strategy {
	case "SemVer", "":
		var constraint *semver.Constraints
		if s.Constraint != "" {
			var err error
			if constraint, err = semver.NewConstraint(s.Constraint); err != nil {
				out.Error = "constraint"
				return out
			}
		}
		versions := map[string]*semver.Version{}
		tags = slices.DeleteFunc(tags, func(candidate tag) bool {
			version, err := semver.NewVersion(candidate.Tag)
			if err == nil && (s.Strict == nil || *s.Strict) {
				_, err = semver.StrictNewVersion(strings.TrimPrefix(candidate.Tag, "v"))
			}
			versions[candidate.Tag] = version
			return err != nil || constraint != nil && !constraint.Check(version)
		})
		slices.SortStableFunc(tags, func(a, b tag) int {
			return cmp.Or(versions[b.Tag].Compare(versions[a.Tag]), reversed(a, b))
		})
	case "Lexical":
		slices.SortStableFunc(tags, reversed)
	case "NewestBuild":
		tags = slices.DeleteFunc(tags, func(candidate tag) bool { return !fits(candidate) })
		for i := range tags {
			var err error
			if tags[i].date, err = time.Parse(time.RFC3339Nano, tags[i].Created); err != nil && tags[i].Created != "" {
				out.Error = "created"
				return out
			}
		}
		slices.SortStableFunc(tags, func(a, b tag) int { return cmp.Or(b.date.Compare(a.date), reversed(a, b)) })
	default:
		out.Error = "strategy"
		return out
	}
	for _, candidate := range tags {
		if len(out.Selected) < limit && fits(candidate) {
			out.Selected = append(out.Selected, candidate.Tag)
		}
	}
	return out
}
