package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// module is a Terraform module that was read, and not yet evaluated.
type module struct {
	variables, outputs, resources map[string]*hclsyntax.Block // resources by type.name
	locals                        map[string]*hclsyntax.Attribute
	settings, provider            *hclsyntax.Block
	bodies                        []*hclsyntax.Body
}

func readModule(files map[string]string) (*module, error) {
	m := &module{
		variables: map[string]*hclsyntax.Block{}, outputs: map[string]*hclsyntax.Block{}, resources: map[string]*hclsyntax.Block{},
		locals: map[string]*hclsyntax.Attribute{},
	}
	for name, text := range files {
		file, diags := hclsyntax.ParseConfig([]byte(text), name, hcl.InitialPos)
		if diags.HasErrors() {
			return nil, diags
		}
		body, ok := file.Body.(*hclsyntax.Body)
		if !ok {
			return nil, fmt.Errorf("%s: a body of type %T", name, file.Body)
		}
		m.bodies = append(m.bodies, body)
		for _, b := range body.Blocks {
			switch b.Type {
			case "variable":
				m.variables[b.Labels[0]] = b
			case "output":
				m.outputs[b.Labels[0]] = b
			case "resource":
				m.resources[b.Labels[0]+"."+b.Labels[1]] = b
			case "locals":
				maps.Copy(m.locals, b.Body.Attributes)
			case "terraform":
				m.settings = b
			case "provider":
				m.provider = b
			default:
				return nil, fmt.Errorf("%s: a block of type %s", b.Range(), b.Type)
			}
		}
	}
	return m, nil
}

// instance is a resource as it would be made: its arguments and nested blocks, whose values are lists of instances.
type instance map[string]any

// functions are those of Terraform that the modules use. There is no zip and no packaged template, so what reads files
// reads none.
var functions = map[string]function.Function{
	"can": tryfunc.CanFunc, "coalesce": function.New(&function.Spec{
		// Terraform's takes an empty string for no value.
		VarParam: &function.Parameter{Name: "vals", Type: cty.String},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for _, v := range args {
				if v.AsString() != "" {
					return v, nil
				}
			}
			return cty.NilVal, errors.New("coalesce: no value")
		},
	}),
	"concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "jsonencode": stdlib.JSONEncodeFunc, "length": stdlib.LengthFunc,
	"min": stdlib.MinFunc, "regex": stdlib.RegexFunc, "tostring": stdlib.MakeToFunc(cty.String), "regexall": stdlib.RegexAllFunc,
	"keys": stdlib.KeysFunc, "merge": stdlib.MergeFunc,
	"replace": function.New(&function.Spec{
		// Terraform's takes a pattern between slashes for a regular expression.
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "pattern", Type: cty.String}, {Name: "replacement", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return stdlib.RegexReplace(args[0], cty.StringVal(strings.Trim(args[1].AsString(), "/")), args[2])
		},
	}),
	"file":       ofText(func(path string) string { return packaged[path] }),
	"filebase64": ofText(func(string) string { return "UEsDBA==" }),
	"filemd5":    ofText(func(path string) string { return "md5-of-" + path }),
	"md5":        ofText(func(text string) string { return fmt.Sprint("md5-of-", len(text)) }),
}

// ofText returns a function of Terraform that takes and returns a text.
func ofText(f func(string) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}}, Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal(f(args[0].AsString())), nil
		},
	})
}

// plan evaluates the module with these inputs. Attributes that only the cloud knows are made up. It returns what would
// be made, by type.name, and the outputs.
func (m *module) plan(d *documentation, inputs map[string]cty.Value) (map[string][]instance, map[string]cty.Value, error) {
	vars, err := m.inputs(inputs)
	if err != nil {
		return nil, nil, err
	}
	ctx := &hcl.EvalContext{Functions: functions, Variables: map[string]cty.Value{"var": cty.ObjectVal(vars)}}
	if err := m.references(ctx, d); err != nil {
		return nil, nil, err
	}
	made := map[string][]instance{}
	for name, b := range m.resources {
		contexts, err := instances(ctx, b)
		if err != nil {
			return nil, nil, err
		}
		for _, c := range contexts {
			made[name] = append(made[name], nil)
			if made[name][len(made[name])-1], err = evaluate(c, b.Body); err != nil {
				return nil, nil, err
			}
		}
	}
	outputs := map[string]cty.Value{}
	for name, b := range m.outputs {
		v, diags := b.Body.Attributes["value"].Expr.Value(ctx)
		if diags.HasErrors() {
			return nil, nil, diags
		}
		outputs[name] = v
	}
	return made, outputs, nil
}

// inputs returns the values of all variables, which keep their types and validations.
func (m *module) inputs(given map[string]cty.Value) (map[string]cty.Value, error) {
	vars := map[string]cty.Value{}
	for name, b := range m.variables {
		kind, defaults, diags := typeexpr.TypeConstraintWithDefaults(b.Body.Attributes["type"].Expr)
		if diags.HasErrors() {
			return nil, diags
		}
		v, ok := given[name]
		if !ok {
			def := b.Body.Attributes["default"]
			if def == nil {
				return nil, fmt.Errorf("variable %s: required, and not given", name)
			}
			if v, diags = def.Expr.Value(nil); diags.HasErrors() {
				return nil, diags
			}
		}
		if defaults != nil && !v.IsNull() {
			v = defaults.Apply(v)
		}
		v, err := convert.Convert(v, kind)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", name, err)
		}
		vars[name] = v
	}
	for name, b := range m.variables {
		ctx := &hcl.EvalContext{Functions: functions, Variables: map[string]cty.Value{"var": cty.ObjectVal(vars)}}
		if err := conditions(ctx, b.Body, "validation"); err != nil {
			return nil, fmt.Errorf("variable %s: %w", name, err)
		}
	}
	return vars, nil
}

// conditions checks the blocks of a kind that have a condition and an error_message.
func conditions(ctx *hcl.EvalContext, body *hclsyntax.Body, kind string) error {
	for _, b := range body.Blocks {
		if b.Type != kind {
			continue
		}
		holds, diags := b.Body.Attributes["condition"].Expr.Value(ctx)
		message, more := b.Body.Attributes["error_message"].Expr.Value(ctx)
		if diags = append(diags, more...); diags.HasErrors() {
			return diags
		}
		if holds.False() {
			return errors.New(message.AsString())
		}
	}
	return nil
}

// references adds to a context what expressions refer to: the documented attributes of each resource, and the locals.
// They refer to each other, so each round finds some more.
func (m *module) references(ctx *hcl.EvalContext, d *documentation) error {
	locals := map[string]cty.Value{}
	for range len(m.locals) + len(m.resources) {
		ctx.Variables["local"] = cty.ObjectVal(locals)
		if err := m.resourceObjects(ctx, d); err != nil {
			return err
		}
		for name, a := range m.locals {
			if v, diags := a.Expr.Value(ctx); !diags.HasErrors() {
				locals[name] = v
			}
		}
	}
	for name, a := range m.locals {
		if _, diags := a.Expr.Value(ctx); diags.HasErrors() {
			return fmt.Errorf("local %s: %w", name, diags)
		}
	}
	return nil
}

// resourceObjects adds to a context what is known of the resources.
func (m *module) resourceObjects(ctx *hcl.EvalContext, d *documentation) error {
	types := map[string]map[string]cty.Value{}
	for name, b := range m.resources {
		page, ok := d.Resources[b.Labels[0]]
		if !ok {
			return fmt.Errorf("%s: a resource that has no documentation", name)
		}
		value := map[string]cty.Value{}
		for _, attribute := range page.Attributes {
			value[attribute] = cty.StringVal(name + "." + attribute)
			if attribute == "topic_urn" {
				value[attribute] = cty.StringVal("urn:smn:cn-north-4:0549b4a43100d4f32f51c01c2fe4acdb:" + b.Labels[1])
			}
		}
		for argument := range page.Arguments {
			if a := b.Body.Attributes[argument]; a != nil {
				if v, diags := a.Expr.Value(ctx); !diags.HasErrors() {
					value[argument] = v
				}
			}
		}
		object := cty.ObjectVal(value)
		if count := b.Body.Attributes["count"]; count != nil {
			n, diags := count.Expr.Value(ctx)
			if diags.HasErrors() {
				return diags
			}
			object = cty.TupleVal(slices.Repeat([]cty.Value{object}, int(must(n.AsBigFloat().Int64()))))
		}
		if types[b.Labels[0]] == nil {
			types[b.Labels[0]] = map[string]cty.Value{}
		}
		types[b.Labels[0]][b.Labels[1]] = object
	}
	for name, resources := range types {
		ctx.Variables[name] = cty.ObjectVal(resources)
	}
	return nil
}

// must returns the number of a conversion, which is exact for the numbers of the modules.
func must[A any](n int64, _ A) int64 { return n }

// instances returns a context for each instance of a resource.
func instances(ctx *hcl.EvalContext, b *hclsyntax.Block) ([]*hcl.EvalContext, error) {
	if a := b.Body.Attributes["for_each"]; a != nil {
		each, diags := a.Expr.Value(ctx)
		if diags.HasErrors() {
			return nil, diags
		}
		var contexts []*hcl.EvalContext
		for key, value := range each.Elements() {
			c := ctx.NewChild()
			c.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
			contexts = append(contexts, c)
		}
		return contexts, nil
	}
	if a := b.Body.Attributes["count"]; a != nil {
		n, diags := a.Expr.Value(ctx)
		if diags.HasErrors() {
			return nil, diags
		}
		return slices.Repeat([]*hcl.EvalContext{ctx}, int(must(n.AsBigFloat().Int64()))), nil
	}
	return []*hcl.EvalContext{ctx}, nil
}

// evaluate returns the arguments and blocks of a body, and checks its preconditions.
func evaluate(ctx *hcl.EvalContext, body *hclsyntax.Body) (instance, error) {
	made := instance{}
	for name, a := range body.Attributes {
		if name == "count" || name == "for_each" {
			continue
		}
		v, diags := a.Expr.Value(ctx)
		if diags.HasErrors() {
			return nil, diags
		}
		made[name] = v
	}
	for _, b := range body.Blocks {
		if b.Type == "lifecycle" {
			if err := conditions(ctx, b.Body, "precondition"); err != nil {
				return nil, err
			}
			continue
		}
		block, err := evaluate(ctx, b.Body)
		if err != nil {
			return nil, err
		}
		blocks, _ := made[b.Type].([]instance)
		made[b.Type] = append(blocks, block)
	}
	return made, nil
}

// text returns an argument that is a string.
func (i instance) text(name string) string {
	if v, ok := i[name].(cty.Value); ok && v.Type() == cty.String && !v.IsNull() {
		return v.AsString()
	}
	return ""
}

// object returns an argument that is a JSON object in a string, or left out.
func (i instance) object(name string) (map[string]any, error) {
	if i.text(name) == "" {
		return map[string]any{}, nil
	}
	var object map[string]any
	decoder := json.NewDecoder(strings.NewReader(i.text(name)))
	decoder.UseNumber()
	err := decoder.Decode(&object)
	return object, err
}
