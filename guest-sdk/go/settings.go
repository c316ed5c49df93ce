package weir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Setting is one key of a plugin's config in the pipeline's TOML, nested tables joined by dots. A scalar gives one
// value, an array one value an element.
type Setting struct {
	Key    string
	Values []string
}

// Settings reads settings by name and kind, and remembers which were asked for: the others are refused after Configure.
type Settings struct {
	Given []Setting
	asked []string
}

// List gives all values of an array, or the one of a scalar; none where the key is missing.
func (s *Settings) List(key string) []string {
	if !slices.Contains(s.asked, key) {
		s.asked = append(s.asked, key)
	}
	for _, given := range s.Given {
		if given.Key == key {
			return given.Values
		}
	}
	return nil
}

// Text gives one value as it is written, or the default where the key is missing.
func (s *Settings) Text(key, missing string) (string, error) {
	switch values := s.List(key); {
	case len(values) == 1:
		return values[0], nil
	case values == nil:
		return missing, nil
	default:
		return "", fmt.Errorf("setting `%s` takes one value, not an array of %d", key, len(values))
	}
}

// Flag gives true or false, or the default where the key is missing.
func (s *Settings) Flag(key string, missing bool) (bool, error) {
	text, err := s.Text(key, strconv.FormatBool(missing))
	if err == nil && text != "true" && text != "false" {
		err = fmt.Errorf("setting `%s` is true or false, not `%s`", key, text)
	}
	return text == "true", err
}

// Number gives a number, or the default where the key is missing.
func (s *Settings) Number(key string, missing float64) (float64, error) {
	text, err := s.Text(key, "")
	if err != nil || text == "" {
		return missing, err
	}
	number, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
	if err != nil {
		return 0, fmt.Errorf("setting `%s` is a number, not `%s`", key, text)
	}
	return number, nil
}

// RefuseTheRest refuses what nothing asked for. Export does that after Configure.
func (s *Settings) RefuseTheRest() error {
	for at, given := range s.Given {
		for _, before := range s.Given[:at] {
			if before.Key == given.Key {
				return fmt.Errorf("setting `%s` is given twice", given.Key)
			}
		}
		if slices.Contains(s.asked, given.Key) {
			continue
		}
		if len(s.asked) == 0 {
			return fmt.Errorf("unknown setting `%s`; this plugin has none", given.Key)
		}
		known := slices.Sorted(slices.Values(s.asked))
		return fmt.Errorf("unknown setting `%s` (there are: %s)", given.Key, strings.Join(known, ", "))
	}
	return nil
}
