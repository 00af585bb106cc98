package compose

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// conditionText is the syntax of a condition: NAME, an operator and a literal.
var conditionText = regexp.MustCompile(`^\s*([[:alnum:]_]+)\s*(==|!=|<=|>=|<|>)\s*(true|false|[0-9]+|"[^"]*")\s*$`)

// A condition compares a variable with a literal.
type condition struct {
	variable, op string
	literal      *yaml.Node
}

func parseCondition(text string) (condition, error) {
	m := conditionText.FindStringSubmatch(text)
	if m == nil {
		return condition{}, fmt.Errorf("invalid condition: %s", text)
	}
	literal := &yaml.Node{Kind: yaml.ScalarNode, Value: m[3]}
	if strings.HasPrefix(m[3], `"`) {
		literal = stringNode(strings.Trim(m[3], `"`))
	}
	return condition{m[1], m[2], literal}, nil
}

// holds evaluates the condition. Unknown variables and comparisons of values
// of different types are mistakes of the manifest, not false.
func (c condition) holds(vars map[string]*yaml.Node) (bool, error) {
	v, ok := vars[c.variable]
	if !ok {
		return false, fmt.Errorf("unknown variable '%s'", c.variable)
	}
	if v.ShortTag() != c.literal.ShortTag() {
		return false, fmt.Errorf("type mismatch for operand: variable '%s' is %s, compared with %s", c.variable, describe(v), describe(c.literal))
	}
	switch c.op {
	case "==":
		return v.Value == c.literal.Value, nil
	case "!=":
		return v.Value != c.literal.Value, nil
	}
	a, errA := strconv.ParseUint(v.Value, 10, 64)
	b, errB := strconv.ParseUint(c.literal.Value, 10, 64)
	if errA != nil || errB != nil || !isInt(v) {
		return false, fmt.Errorf("operator %s needs numbers, variable '%s' is %s", c.op, c.variable, describe(v))
	}
	switch c.op {
	case "<":
		return a < b, nil
	case "<=":
		return a <= b, nil
	case ">":
		return a > b, nil
	default:
		return a >= b, nil
	}
}

// substituted are the keys whose strings take ${variable}; of maps the values do.
func substituted() []string {
	return []string{
		"ref", "rojig", "metadata", "add-commit-metadata", "automatic-version-prefix",
		"automatic-version-suffix", "mutate-os-release", "platform-module",
	}
}

// variable is ${name}.
var variable = regexp.MustCompile(`\$\{([[:alnum:]_]+)\}`)

// substitute replaces variables in the fields that take them. What is unknown
// stays as it is, but in ref: no ref can hold the characters.
func substitute(fields map[string]*field, vars map[string]*yaml.Node) error {
	for _, name := range substituted() {
		f := fields[name]
		if f == nil {
			continue
		}
		if f.value.Kind == yaml.ScalarNode {
			f.value = expandVariables(f.value, vars)
			continue
		}
		values := *f.value
		values.Content = append([]*yaml.Node(nil), f.value.Content...)
		for i := 1; i < len(values.Content); i += 2 {
			values.Content[i] = expandVariables(values.Content[i], vars)
		}
		f.value = &values
	}
	if f := fields["ref"]; f != nil {
		if m := variable.FindStringSubmatch(f.value.Value); m != nil {
			return f.errorf("unknown variable '%s' in ref", m[1])
		}
	}
	return nil
}

// expandVariables replaces the variables of one string.
func expandVariables(n *yaml.Node, vars map[string]*yaml.Node) *yaml.Node {
	if !isString(n) || !strings.Contains(n.Value, "${") {
		return n
	}
	out := *n
	out.Value = variable.ReplaceAllStringFunc(n.Value, func(text string) string {
		if v, ok := vars[text[2:len(text)-1]]; ok {
			return v.Value
		}
		return text
	})
	return &out
}
