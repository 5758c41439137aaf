package config

import (
	"fmt"
	"strconv"
	"time"
)

// FunctionGraph is what Huawei FunctionGraph says of the function, and how it is called.
type FunctionGraph struct {
	// RuntimeAPI is the host and port of the runtime API; empty for a function that is called over HTTP.
	RuntimeAPI string
	// HTTP says that it is an HTTP function, whose calls are those of the HTTP API.
	HTTP bool
	// Port is where a function that is called over HTTP listens.
	Port int
	// Timeout is how long an invocation may take.
	Timeout time.Duration
	// Memory is that of an instance in MB, and CPU its share in thousandths of a CPU; 0 if they are not known.
	Memory, CPU int
}

// functionGraph returns nil outside of FunctionGraph.
func (p *parser) functionGraph(durable bool) *FunctionGraph {
	if p.FunctionType != "event" && p.FunctionType != "http" {
		p.fault("FUNCTION_TYPE: %s is not a function type; expected event or http", quote(p.FunctionType))
	}
	if p.FunctionPort < 1 || p.FunctionPort > 65535 {
		p.fault("FUNCTION_PORT: \"%d\" is not a port; expected 1 to 65535, for example 8000", p.FunctionPort)
	}
	if p.RuntimeTimeout < 1 || p.RuntimeTimeout > 259_200 {
		p.fault("RUNTIME_TIMEOUT: \"%d\" is not a function timeout; expected 1 to 259200 seconds, for example 30", p.RuntimeTimeout)
	}
	if !InFunctionGraph() {
		return nil
	}
	if !durable && !p.AllowVolatile {
		p.needDurable("LEDGER: most triggers of FunctionGraph do not deliver again, so the function", "LEDGER_ALLOW_VOLATILE=true where a lost request does no harm")
	}
	g := &FunctionGraph{
		RuntimeAPI: lookup(functionGraphAPI), HTTP: p.FunctionType == "http", Port: p.FunctionPort,
		Timeout: time.Duration(p.RuntimeTimeout) * time.Second, Memory: p.size("RUNTIME_MEMORY", p.RuntimeMemory), CPU: p.size("RUNTIME_CPU", p.RuntimeCPU),
	}
	if g.HTTP {
		g.RuntimeAPI = ""
	}
	return g
}

// size returns a size of the instance that FunctionGraph says; 0 if it is not known. The program works without, so
// another form than the documented one is only a warning.
func (p *parser) size(name, value string) int {
	n, err := strconv.Atoi(value)
	if value != "" && (err != nil || n < 0) {
		p.warnings = append(p.warnings, fmt.Sprintf("%s: %s is not a whole number, for example 128; it is ignored", name, quote(value)))
		return 0
	}
	return n
}
