package compose

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// variantText writes a value of a treefile as GVariant text, the types being
// those that rpm-ostree gives JSON values: string, boolean, int64, double, av
// and a{sv}.
func variantText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return quoteVariant(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return "int64 " + strconv.Itoa(v), nil
	case int64:
		return "int64 " + strconv.FormatInt(v, 10), nil
	case float64:
		if text := strconv.FormatFloat(v, 'g', -1, 64); strings.ContainsAny(text, ".e") {
			return "double " + text, nil
		}
		return "int64 " + strconv.FormatFloat(v, 'f', 0, 64), nil
	case []any:
		return variantList(v)
	case map[string]any:
		return variantMap(v)
	default:
		return "", fmt.Errorf("a value of type %T: %w", v, errors.ErrUnsupported)
	}
}

func variantList(list []any) (string, error) {
	var items []string
	for _, e := range list {
		text, err := variantText(e)
		if err != nil {
			return "", err
		}
		items = append(items, "<"+text+">")
	}
	return "@av [" + strings.Join(items, ",") + "]", nil
}

func variantMap(m map[string]any) (string, error) {
	var items []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		text, err := variantText(m[key])
		if err != nil {
			return "", fmt.Errorf("%s: %w", key, err)
		}
		items = append(items, quoteVariant(key)+":<"+text+">")
	}
	return "@a{sv} {" + strings.Join(items, ",") + "}", nil
}

// quoteVariant quotes a string for GVariant's text format.
func quoteVariant(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}
