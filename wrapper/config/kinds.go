package config

import "sendwrap/wrapper/policy"

// setStrikesByKind leaves the kinds unchanged that args do not name.
func setStrikesByKind(c *Config, args []string) error {
	w := c.KindStrikes
	var words []string
	for kind := range policy.Kinds {
		words = append(words, kind.String())
	}
	_, err := readPairs(args, words, func(word, value string) error {
		kind, _ := policy.KindOf(word)
		return setCount(&w[kind], value, 0, maxStrikes)
	})
	if err == nil {
		c.KindStrikes = w
	}
	return err
}
