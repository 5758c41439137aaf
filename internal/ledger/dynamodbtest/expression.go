package dynamodbtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// parser evaluates an expression while it reads it. It knows the part of the grammar that the callers
// use: conditions with comparisons, AND, OR and attribute_exists, and updates with SET and REMOVE.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
type parser struct {
	in     *input
	item   item
	tokens []string
	err    error
}

// tokens splits an expression into names, operators and punctuation.
func tokens(expression string) []string {
	for _, sign := range []string{"(", ")", ",", "=", "<", ">"} {
		expression = strings.ReplaceAll(expression, sign, " "+sign+" ")
	}
	return strings.Fields(strings.NewReplacer("<  =", "<=", ">  =", ">=").Replace(expression))
}

func (p *parser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

func (p *parser) next() string {
	token := p.peek()
	if token == "" {
		p.fail(errors.New("the expression ends too early"))
		return ""
	}
	p.tokens = p.tokens[1:]
	return token
}

func (p *parser) expect(token string) {
	if got := p.next(); got != token {
		p.fail(fmt.Errorf("%q, expected %q", got, token))
	}
}

// fail keeps the first error.
func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// holds reports whether a condition holds for an item, which may be nil.
func (in *input) holds(expression string, of item) (bool, error) {
	p := &parser{in: in, item: of, tokens: tokens(expression)}
	ok := p.or()
	if p.peek() != "" {
		p.fail(fmt.Errorf("unexpected %q", p.peek()))
	}
	return ok, p.err
}

func (p *parser) or() bool {
	ok := p.and()
	for p.peek() == "OR" {
		p.next()
		ok = p.and() || ok
	}
	return ok
}

func (p *parser) and() bool {
	ok := p.term()
	for p.peek() == "AND" {
		p.next()
		ok = p.term() && ok
	}
	return ok
}

func (p *parser) term() bool {
	switch token := p.peek(); token {
	case "(":
		p.next()
		ok := p.or()
		p.expect(")")
		return ok
	case "attribute_exists", "attribute_not_exists":
		p.next()
		p.expect("(")
		found := p.operand() != nil
		p.expect(")")
		return found == (token == "attribute_exists")
	}
	return p.comparison()
}

// comparison reads two operands with a sign between them.
func (p *parser) comparison() bool {
	left, operator, right := p.operand(), p.next(), p.operand()
	order, alike := compare(left, right)
	switch operator {
	case "=":
		return alike && order == 0
	case "<":
		return alike && order < 0
	case "<=":
		return alike && order <= 0
	case ">":
		return alike && order > 0
	case ">=":
		return alike && order >= 0
	default:
		p.fail(fmt.Errorf("operator %q is not supported", operator))
		return false
	}
}

// operand reads a value, a path or a function; nil if the item has nothing at the path.
func (p *parser) operand() value {
	token := p.next()
	switch {
	case strings.HasPrefix(token, ":"):
		v, ok := p.in.ExpressionAttributeValues[token]
		if !ok {
			p.fail(fmt.Errorf("the value %s is missing", token))
		}
		return v
	case token == "if_not_exists":
		p.expect("(")
		v := p.operand()
		p.expect(",")
		otherwise := p.operand()
		p.expect(")")
		if v == nil {
			return otherwise
		}
		return v
	default:
		return lookup(p.item, p.path(token))
	}
}

// path splits a document path and fills in its names.
func (p *parser) path(token string) []string {
	parts := strings.Split(token, ".")
	for i, part := range parts {
		if !strings.HasPrefix(part, "#") {
			continue
		}
		name, ok := p.in.ExpressionAttributeNames[part]
		if !ok {
			p.fail(fmt.Errorf("the name %s is missing", part))
		}
		parts[i] = name
	}
	return parts
}

func lookup(in item, path []string) value {
	v, ok := in[path[0]]
	if !ok || len(path) == 1 {
		return v
	}
	return lookup(members(v), path[1:])
}

// members returns the attributes of a map, and nil for a value of another type.
func members(v value) item {
	var m item
	if err := json.Unmarshal(v["M"], &m); err != nil {
		return nil // no map
	}
	return m
}

// compare orders two values of one type; alike is false if their types differ.
func compare(a, b value) (order int, alike bool) {
	for _, kind := range []string{"N", "S", "BOOL"} {
		x, y := a[kind], b[kind]
		switch {
		case x == nil || y == nil:
			continue
		case kind == "N":
			return cmp.Compare(number(x), number(y)), true
		default:
			return bytes.Compare(x, y), true
		}
	}
	return 0, false
}

func number(text json.RawMessage) float64 {
	n, _ := strconv.ParseFloat(strings.Trim(string(text), `"`), 64) // DynamoDB's numbers are text
	return n
}

// update returns the item that an update expression makes of an item. Every operand is read
// from the item as it was.
func (in *input) update(old item) (item, error) {
	changed := make(item, len(old)+len(in.Key))
	maps.Copy(changed, in.Key)
	maps.Copy(changed, old)
	p := &parser{in: in, item: old, tokens: tokens(in.UpdateExpression)}
	for p.peek() != "" && p.err == nil {
		section := p.next()
		for p.err == nil {
			path := p.path(p.next())
			switch section {
			case "SET":
				p.expect("=")
				p.fail(assign(changed, path, p.operand()))
			case "REMOVE":
				p.fail(assign(changed, path, nil))
			default:
				p.fail(fmt.Errorf("section %q is not supported", section))
			}
			if p.peek() != "," {
				break
			}
			p.next()
		}
	}
	return changed, p.err
}

// assign puts v at a path, or removes what is there if v is nil.
func assign(in item, path []string, v value) error {
	if len(path) > 1 {
		inner := members(in[path[0]])
		if inner == nil {
			return errors.New("the document path is invalid for update: " + strings.Join(path, "."))
		}
		if err := assign(inner, path[1:], v); err != nil {
			return err
		}
		text, err := json.Marshal(inner)
		if err != nil {
			return err
		}
		v, path = value{"M": text}, path[:1]
	}
	if v == nil {
		delete(in, path[0])
		return nil
	}
	in[path[0]] = v
	return nil
}

// sizeOfItem approximates the size that DynamoDB counts: the bytes of all names and values.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func sizeOfItem(of item) int {
	total := 0
	for name, v := range of {
		total += len(name)
		if inner := members(v); inner != nil {
			total += sizeOfItem(inner)
			continue
		}
		for _, text := range v {
			total += len(text)
		}
	}
	return total
}
