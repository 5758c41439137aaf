package measure

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"dds-backup-delete/bench/upstream"
)

// Latencies are those of a round trip to an upstream; Batches the sizes of batches.
var (
	Latencies = []time.Duration{0, Near, Far}
	Batches   = []int{1, 10, 100}
)

// What is near and far.
const (
	Near = 20 * time.Millisecond
	Far  = 150 * time.Millisecond
)

// Section is a part of a run.
type Section string

// The sections.
const (
	// Goals are the rows that the goals and the headline are made of.
	Goals Section = "goals"
	// Starts are starts and first invocations in all settings, without latency.
	Starts Section = "starts"
	// Connections compares what this project opens at its start.
	Connections Section = "connections"
	// Warm are warm invocations in all settings.
	Warm Section = "warm"
	// Memory is that of the largest payload, and what GOGC makes of it.
	Memory Section = "memory"
	// FunctionGraph is everything about cmd/functiongraph.
	FunctionGraph Section = "functiongraph"
)

// Plan says how much is measured.
type Plan struct {
	Sections []Section
	// Goals, Starts, Connections, Warm, Memory and FunctionGraph are the rounds of each section. Only the
	// first Full rounds of the warm ones measure more than what the goals need.
	Goals, Starts, Connections, Warm, Full, Memory, FunctionGraph int
	// SlowEvery is how many rounds there are to one that a slow peer takes part in.
	SlowEvery int
	// Repeat is how often each cell of latency and batch is measured in a warm round, at no
	// latency; slower cells are measured less often.
	Repeat int
}

// Has says whether a section is measured.
func (p Plan) Has(s Section) bool { return slices.Contains(p.Sections, s) }

// Only says whether nothing but a section is measured.
func (p Plan) Only(s Section) bool { return len(p.Sections) == 1 && p.Sections[0] == s }

// ColdKey names what was measured of starts.
type ColdKey struct {
	Peer string
	Setting
	Latency time.Duration
	Batch   int // of the first invocation
	// Share says that the first invocation had the CPU that a function of 128 MB has after
	// its start.
	Share bool
}

// Cold is what was measured of starts: Start is from the start of the process to its first call
// for an event, First the first invocation, and Sum both.
type Cold struct{ Start, First, Sum Times }

// RunKey names what was measured of a warm process as a whole.
type RunKey struct {
	Peer string
	Setting
}

// WarmKey names what was measured of warm invocations.
type WarmKey struct {
	RunKey
	Latency time.Duration
	Batch   int
}

// Run is what was measured of a warm process as a whole.
type Run struct {
	// CPU is the CPU time of a record in ms, in batches of ten; Small the peak memory in MB
	// after [Invocations] of them, and Peak after everything, batches of a hundred among it.
	CPU, Small, Peak Sample
}

// Invocations is how many batches of ten are worked before the peak memory is read.
const Invocations = 200

// Large is what one payload of [LargeRecords] cost, as the first of its process.
type Large struct {
	Times Times
	Peak  Sample // memory in MB
	// GivenBack is how many of its records were.
	GivenBack int
	// Size is that of the payload in millions of bytes.
	Size float64
}

// LargeRecords is how many records such as those of a queue come near Lambda's 6 MB.
const LargeRecords = 6500

// Result is everything that was measured.
type Result struct {
	Peers []*Peer
	Cold  map[ColdKey]*Cold
	Warm  map[WarmKey]*Times
	Runs  map[RunKey]*Run
	Large map[RunKey]*Large

	// Functions are the programs on FunctionGraph.
	Functions     []*Peer
	FunctionGraph map[FunctionGraphKey]*FunctionGraphRun
}

// Runner measures.
type Runner struct {
	Peers      []*Peer // on Lambda
	Functions  []*Peer // on FunctionGraph
	Plain, TLS *upstream.Server
	Valkey     *upstream.Valkey // for the programs on FunctionGraph
	CA         string           // the file of the authority of TLS
	Plan       Plan
	Progress   io.Writer

	result Result
	share  *share // nil where none can be given
}

// Run measures all the peers in turn, round by round, so that what else the machine does
// meets them alike. After an error, the result is what was measured until then.
func (r *Runner) Run(ctx context.Context) (*Result, error) {
	r.result = Result{
		Peers: r.Peers, Cold: make(map[ColdKey]*Cold), Warm: make(map[WarmKey]*Times), Runs: make(map[RunKey]*Run),
		Large: make(map[RunKey]*Large), Functions: r.Functions, FunctionGraph: make(map[FunctionGraphKey]*FunctionGraphRun),
	}
	var err error
	if r.share, err = newShare(); err != nil {
		fmt.Fprintln(r.Progress, err)
	} else {
		defer func() {
			if err := r.share.close(); err != nil {
				fmt.Fprintln(r.Progress, err)
			}
		}()
	}
	for _, part := range []struct {
		name   string
		rounds int
		round  func(context.Context, int) error
	}{
		{"goals, starts", r.rounds(Goals, r.Plan.Goals), r.coldRound(r.goalCells())},
		{"starts", r.rounds(Starts, r.Plan.Starts), r.coldRound(r.startCells())},
		{"connections at start", r.rounds(Connections, r.Plan.Connections), r.coldRound(r.connectionCells())},
		{"warm", max(r.rounds(Goals, r.Plan.Warm), r.rounds(Warm, r.Plan.Warm)), r.warmRound},
		{"memory", r.rounds(Memory, r.Plan.Memory), r.memoryRound},
		{"functiongraph", r.rounds(FunctionGraph, r.Plan.FunctionGraph), r.functionGraphRound},
	} {
		begun := time.Now()
		for round := range part.rounds {
			fmt.Fprintf(r.Progress, "%s: round %d of %d\n", part.name, round+1, part.rounds)
			if err := part.round(ctx, round); err != nil {
				return &r.result, err
			}
		}
		if part.rounds > 0 {
			fmt.Fprintf(r.Progress, "%s: %v\n", part.name, time.Since(begun).Round(time.Second))
		}
	}
	return &r.result, nil
}

func (r *Runner) rounds(s Section, n int) int {
	if r.Plan.Has(s) {
		return n
	}
	return 0
}

// named are the peers of those names.
func (r *Runner) named(names ...string) []*Peer {
	var peers []*Peer
	for _, p := range r.Peers {
		if slices.Contains(names, p.Name) {
			peers = append(peers, p)
		}
	}
	return peers
}
