// An API server's reading of custom resources, for tests: structure, unknown fields, defaults, CEL rules.
//
// Arguments are CustomResourceDefinition files. Each line of standard input is one object as JSON; each line of
// standard output answers one: {"known": bool, "problems": ["..."]}.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// resource is one version of one kind.
type resource struct {
	structural *schema.Structural
	structure  validation.SchemaValidator
	rules      *cel.Validator
	namespaced bool
}

type answer struct {
	Known    bool     `json:"known"`
	Problems []string `json:"problems"`
}

func main() {
	kinds := map[string]*resource{}
	for _, path := range os.Args[1:] {
		if err := load(path, kinds); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(1)
		}
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			text, _ := json.Marshal(judge(line, kinds))
			out.Write(append(text, '\n'))
		}
		if err != nil {
			return
		}
	}
}

func load(path string, kinds map[string]*resource) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var definition v1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &definition); err != nil {
		return err
	}
	for _, version := range definition.Spec.Versions {
		var internal apiextensions.JSONSchemaProps
		if err := v1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(version.Schema.OpenAPIV3Schema, &internal, nil); err != nil {
			return err
		}
		structural, err := schema.NewStructural(&internal)
		if err != nil {
			return err
		}
		structure, _, err := validation.NewSchemaValidator(&internal)
		if err != nil {
			return err
		}
		key := definition.Spec.Group + "/" + version.Name + " " + definition.Spec.Names.Kind
		kinds[key] = &resource{
			structural: structural,
			structure:  structure,
			rules:      cel.NewValidator(structural, true, celconfig.PerCallLimit),
			namespaced: definition.Spec.Scope == v1.NamespaceScoped,
		}
	}
	return nil
}

func judge(line []byte, kinds map[string]*resource) answer {
	reply := answer{Problems: []string{}}
	say := func(format string, values ...any) { reply.Problems = append(reply.Problems, fmt.Sprintf(format, values...)) }
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		say("not an object: %v", err)
		return reply
	}
	numbers(object)
	kind, found := kinds[fmt.Sprint(object["apiVersion"], " ", object["kind"])]
	if !found {
		return reply
	}
	reply.Known = true
	metadata, _ := object["metadata"].(map[string]any)
	if _, has := metadata["namespace"]; has != kind.namespaced {
		say("metadata.namespace: given %v, namespaced %v", has, kind.namespaced)
	}

	pruned := runtime.DeepCopyJSON(object)
	unknown := pruning.PruneWithOptions(pruned, kind.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		say("%s: no such field", path)
	}

	defaulted := runtime.DeepCopyJSON(object)
	defaulting.Default(defaulted, kind.structural)
	if !reflect.DeepEqual(object, defaulted) {
		before, _ := json.Marshal(object)
		after, _ := json.Marshal(defaulted)
		say("defaulting makes %s of %s", after, before)
	}
	for _, problem := range validation.ValidateCustomResource(nil, defaulted, kind.structure) {
		say("%v", problem)
	}
	problems, _ := kind.rules.Validate(context.Background(), nil, kind.structural, defaulted, nil, celconfig.RuntimeCELCostBudget)
	for _, problem := range problems {
		say("%v", problem)
	}
	return reply
}

// numbers makes of json.Number what an API server keeps: int64 or float64.
func numbers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for key, item := range value {
			value[key] = numbers(item)
		}
	case []any:
		for index, item := range value {
			value[index] = numbers(item)
		}
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		fraction, _ := value.Float64()
		return fraction
	}
	return value
}
