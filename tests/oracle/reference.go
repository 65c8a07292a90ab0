package main

import (
	"errors"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// named is an image as every answer shows it.
type named struct {
	Registry   string  `json:"registry"`
	Repository string  `json:"repository"`
	Tag        *string `json:"tag"`
	Digest     *string `json:"digest"`
	Familiar   string  `json:"familiar"`
	Canonical  string  `json:"canonical"`
}

func parseImage(text string) (named, error) {
	ref, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return named{}, err
	}
	ref = reference.TagNameOnly(ref)
	out := named{
		Registry:   reference.Domain(ref),
		Repository: reference.Path(ref),
		Familiar:   reference.FamiliarString(ref),
		Canonical:  ref.String(),
	}
	if tagged, ok := ref.(reference.Tagged); ok {
		tag := tagged.Tag()
		out.Tag = &tag
	}
	if digested, ok := ref.(reference.Digested); ok {
		text := digested.Digest().String()
		out.Digest = &text
	}
	return out, nil
}

type referenceAnswer struct {
	Input  string `json:"input"`
	Valid  bool   `json:"valid"`
	Reason string `json:"reason,omitempty"`
	*named
}

func inspectReference(text string) any {
	image, err := parseImage(text)
	if err == nil {
		return referenceAnswer{Input: text, Valid: true, named: &image}
	}
	reason := "format"
	switch {
	case strings.Contains(err.Error(), "64-byte hexadecimal"):
		reason = "hex64"
	case errors.Is(err, reference.ErrNameContainsUppercase), strings.Contains(err.Error(), "must be lowercase"):
		reason = "uppercase"
	case errors.Is(err, reference.ErrNameTooLong):
		reason = "too-long"
	case errors.Is(err, digest.ErrDigestUnsupported):
		reason = "digest-algorithm"
	case errors.Is(err, digest.ErrDigestInvalidLength):
		reason = "digest-length"
	case errors.Is(err, digest.ErrDigestInvalidFormat):
		reason = "digest-format"
	}
	return referenceAnswer{Input: text, Reason: reason}
}
