package compose

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"cosafs/materialize"
)

// dateField is the place of a date in an automatic version.
var dateField = regexp.MustCompile(`<date:([^>]*)>`)

// NextVersion gives the version after previous as rpm-ostree's automatic
// versioning does: prefix with its <date:FORMAT> replaced, and a counter that
// starts again whenever the prefix changes. A prefix without a date starts as
// itself and goes on with .1; one with a date always has a counter, from .0.
// The suffix, "." where it is empty, stands before the counter. FORMAT is
// strftime's, in UTC; a conversion that is not supported is an error.
func NextVersion(prefix, suffix, previous string, now time.Time) (string, error) {
	if suffix == "" {
		suffix = "."
	}
	dated := dateField.MatchString(prefix)
	var bad error
	prefix = dateField.ReplaceAllStringFunc(prefix, func(text string) string {
		date, err := strftime(dateField.FindStringSubmatch(text)[1], now.UTC())
		if err != nil {
			bad = err
		}
		return date
	})
	if bad != nil {
		return "", materialize.Fail(materialize.ClassConfig, "compose", "mend automatic-version-prefix in the manifest", bad)
	}
	if rest, same := strings.CutPrefix(previous, prefix); same {
		if rest == "" && !dated {
			return prefix + suffix + "1", nil
		}
		if counter, ok := strings.CutPrefix(rest, suffix); ok {
			digits := counter[:len(counter)-len(strings.TrimLeftFunc(counter, isDigit))]
			n, err := strconv.ParseUint("0"+digits, 10, 63)
			if err == nil {
				return prefix + suffix + strconv.FormatUint(n+1, 10), nil
			}
		}
	}
	if dated {
		return prefix + suffix + "0", nil
	}
	return prefix, nil
}

// layouts are the conversions of strftime that make sense in a version.
func layouts() map[byte]string {
	return map[byte]string{
		'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'j': "002",
		'H': "15", 'I': "03", 'M': "04", 'S': "05",
		'F': "2006-01-02", 'b': "Jan", 'a': "Mon",
	}
}

// strftime formats a time.
func strftime(format string, now time.Time) (string, error) {
	var out strings.Builder
	known := layouts()
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			out.WriteByte(format[i])
			continue
		}
		if i++; i == len(format) {
			return "", fmt.Errorf("date format %q ends in %%", format)
		}
		year, week := now.ISOWeek()
		switch c := format[i]; c {
		case '%':
			out.WriteByte('%')
		case 's':
			out.WriteString(strconv.FormatInt(now.Unix(), 10))
		case 'V':
			fmt.Fprintf(&out, "%02d", week)
		case 'G':
			fmt.Fprintf(&out, "%04d", year)
		case 'u':
			out.WriteString(strconv.Itoa((int(now.Weekday())+6)%7 + 1))
		default:
			layout, ok := known[c]
			if !ok {
				return "", fmt.Errorf("date format %q: conversion %%%c is not supported", format, c)
			}
			out.WriteString(now.Format(layout))
		}
	}
	return out.String(), nil
}
