// The oracle answers what BuildKit, distribution/reference and Masterminds' semver make of an input.
//
// It reads one JSON object a line from standard input and writes one a line to standard output, in the
// shapes of `plimsoll inspect`. A differential test holds Plimsoll against it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// question is one line of input.
type question struct {
	Kind          string            `json:"kind"`
	Text          string            `json:"text"`
	BuildArgs     map[string]string `json:"buildArgs"`
	Platform      string            `json:"platform"`
	BuildPlatform string            `json:"buildPlatform"`
	Target        string            `json:"target"`
	Scenario      scenario          `json:"scenario"`
}

func answer(q question) (out any) {
	defer func() {
		if cause := recover(); cause != nil {
			out = map[string]any{"panic": fmt.Sprint(cause)}
		}
	}()
	switch q.Kind {
	case "dockerfile":
		return inspectDockerfile(q)
	case "ref":
		return inspectReference(q.Text)
	case "tags":
		return selectTags(q.Scenario)
	default:
		return map[string]any{"panic": "no such kind of question: " + q.Kind}
	}
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			fmt.Fprintln(os.Stderr, "oracle:", err)
			os.Exit(1)
		}
		line, err := json.Marshal(answer(q))
		if err != nil {
			fmt.Fprintln(os.Stderr, "oracle:", err)
			os.Exit(1)
		}
		out.Write(line)
		out.WriteByte('\n')
		out.Flush()
	}
}
