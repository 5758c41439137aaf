package stacktest_test

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// statement is a statement of an IAM policy. This file implements as much of IAM as template.yaml
// uses; anything else is an error, so that nothing passes unchecked. moto ignores queue policies, and
// the resources and conditions of role policies.
type statement struct {
	Sid       string
	Effect    string
	Principal json.RawMessage
	Action    texts
	Resource  texts
	Condition map[string]map[string]texts
}

// texts is a string, or a list of them.
type texts []string

func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = texts{one}
		return nil
	}
	var all []string
	err := json.Unmarshal(b, &all)
	*t = all
	return err
}

// call is a call to AWS.
type call struct {
	Service  string // the calling service's principal; empty for the function itself
	Action   string
	Resource string
	Keys     map[string][]string // the condition keys and their values
}

func (c call) String() string {
	return fmt.Sprintf("%s on %s by %q with %v", c.Action, c.Resource, c.Service, c.Keys)
}

// allows reports whether a statement allows the call and none denies it.
func allows(policy []statement, c call) (allowed bool, err error) {
	for i := range policy {
		s := &policy[i]
		ok, err := s.fits(c)
		switch {
		case err != nil:
			return false, fmt.Errorf("%s: %w", s.Sid, err)
		case !ok:
		case s.Effect == "Deny":
			return false, nil
		default:
			allowed = true
		}
	}
	return allowed, nil
}

func (s *statement) fits(c call) (bool, error) {
	if len(s.Principal) > 0 {
		var named struct{ Service string }
		if err := json.Unmarshal(s.Principal, &named); err != nil && string(s.Principal) != `"*"` {
			return false, err
		}
		if named.Service != "" && named.Service != c.Service {
			return false, nil
		}
	}
	if !s.Action.match(c.Action) || !s.Resource.match(c.Resource) {
		return false, nil
	}
	for operator, keys := range s.Condition {
		for key, want := range keys {
			if ok, err := holds(operator, want, c.Keys[key]); !ok || err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// holds reports whether the values that the call has for a key meet a condition on it.
func holds(operator string, want texts, have []string) (bool, error) {
	equal := func(v string) bool { return slices.Contains(want, v) }
	all := func(fits func(string) bool) bool {
		return !slices.ContainsFunc(have, func(v string) bool { return !fits(v) })
	}
	switch operator {
	case "ForAllValues:StringEquals":
		return all(equal), nil
	case "ArnLike":
		return len(have) == 1 && want.match(have[0]), nil
	case "StringEquals", "Bool", "ArnEquals":
		return len(have) == 1 && equal(have[0]), nil
	case "Null":
		return equal(fmt.Sprint(len(have) == 0)), nil
	default:
		return false, fmt.Errorf("operator %s is not implemented", operator)
	}
}

// match reports whether one of the patterns, which may contain stars, matches the value.
func (t texts) match(value string) bool {
	return slices.ContainsFunc(t, func(pattern string) bool {
		// A star of IAM matches slashes; one of [path.Match] does not.
		ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(value, "/", "\x00"))
		return ok && err == nil
	})
}
