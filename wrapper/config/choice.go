package config

import (
	"fmt"
	"strings"
)

// choose sets c by its word.
func choose[C interface {
	~uint8
	fmt.Stringer
}](c *C, word string) error {
	var words []string
	for choice := C(0); choice.String() != invalid; choice++ {
		if choice.String() == word {
			*c = choice
			return nil
		}
		words = append(words, choice.String())
	}
	return newError("write "+oneOf(words), "%s is unknown", quoted(word))
}

// invalid is what a choice is called that has no word.
const invalid = "invalid"

// oneOf lists words as an answer: "a, b or c".
func oneOf(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}
