package measure

import (
	"context"
	"fmt"
	"io"
	"time"

	"dds-backup-delete/bench/upstream"
)

// Latencies are what is added to each request to an upstream; Batches the sizes of batches.
var (
	Latencies = []time.Duration{0, 20 * time.Millisecond, 150 * time.Millisecond}
	Batches   = []int{1, 10, 100}
)

// Plan says how much is measured.
type Plan struct {
	// Cold is how many rounds of starts there are; a slow peer takes part in every SlowEvery-th.
	Cold int
	// Warm is how many rounds of warm runs there are; a slow peer takes part in SlowWarm.
	Warm, SlowWarm, SlowEvery int
	// CPU is how many batches of ten are worked to measure CPU time, in each warm round.
	CPU int
	// Repeat is how often each cell of latency and batch is measured in a round, at no latency;
	// slower cells are measured less often.
	Repeat int
}

// ColdKey names what was measured of starts.
type ColdKey struct {
	Peer        string
	Ledger, TLS bool
}

// Cold is what was measured of starts.
type Cold struct {
	// Init is from the start of the process to its first call for an event; First and FirstTen
	// are the first invocation with a batch of one and of ten; Total is Init and First.
	Init, First, FirstTen, Total Sample
	// FirstShare and TenShare are First and FirstTen with the CPU that a function of 128 MB has
	// after its start, in other processes; only with TLS, and where it can be measured.
	FirstShare, TenShare Sample
}

// WarmKey names what was measured of warm invocations.
type WarmKey struct {
	Peer                string
	Ledger, TLS, Manual bool
	Latency             time.Duration
	Batch               int
}

// RunKey names what was measured of a warm process as a whole.
type RunKey struct {
	Peer                string
	Ledger, TLS, Manual bool
}

// Run is what was measured of a warm process as a whole.
type Run struct {
	// CPU is the CPU time of a record in ms, in batches of ten; Small the peak memory in MB
	// after those, and Peak after everything, batches of a hundred among it.
	CPU, Small, Peak Sample
}

// Result is everything that was measured.
type Result struct {
	Peers []*Peer
	Cold  map[ColdKey]*Cold
	Warm  map[WarmKey]*Sample
	Runs  map[RunKey]*Run
}

// Runner measures.
type Runner struct {
	Peers      []*Peer
	Plain, TLS *upstream.Server
	CA         string
	Plan       Plan
	Progress   io.Writer

	result Result
	share  *share // nil where none can be given
}

// Run measures all the peers in turn, round by round, so that what else the machine does
// meets them alike.
func (r *Runner) Run(ctx context.Context) (*Result, error) {
	r.result = Result{
		Peers: r.Peers, Cold: make(map[ColdKey]*Cold), Warm: make(map[WarmKey]*Sample), Runs: make(map[RunKey]*Run),
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
	for round := range r.Plan.Cold {
		fmt.Fprintf(r.Progress, "starts: round %d of %d\n", round+1, r.Plan.Cold)
		if err := r.coldRound(ctx, round); err != nil {
			return nil, err
		}
	}
	for round := range r.Plan.Warm {
		fmt.Fprintf(r.Progress, "warm: round %d of %d\n", round+1, r.Plan.Warm)
		if err := r.warmRound(ctx, round); err != nil {
			return nil, err
		}
	}
	return &r.result, nil
}

// ledgers are the settings of a peer's ledger.
func ledgers(p *Peer) []bool {
	if p.HasLedger {
		return []bool{false, true}
	}
	return []bool{false}
}

// coldRound starts each peer in each setting twice: for a first batch of one, and of ten.
func (r *Runner) coldRound(ctx context.Context, round int) error {
	for _, secure := range []bool{false, true} {
		up, ca := r.Plain, ""
		if secure {
			up, ca = r.TLS, r.CA
		}
		up.SetLatency(0)
		for i := range r.Peers {
			p := r.Peers[(i+round)%len(r.Peers)] // nobody is always first
			if p.Slow && round%r.Plan.SlowEvery != 0 {
				continue
			}
			for _, ledger := range ledgers(p) {
				key := ColdKey{p.Name, ledger, secure}
				if r.result.Cold[key] == nil {
					r.result.Cold[key] = new(Cold)
				}
				for _, batch := range []int{1, 10} {
					s := Setting{Ledger: ledger, CA: ca}
					if err := r.cold(ctx, p, up, s, batch, nil, r.result.Cold[key]); err != nil {
						return err
					}
					if !secure || r.share == nil {
						continue
					}
					if err := r.cold(ctx, p, up, s, batch, r.share, r.result.Cold[key]); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// cold starts a peer once, and limits it afterwards to a share of a CPU, if there is one.
func (r *Runner) cold(ctx context.Context, p *Peer, up *upstream.Server, s Setting, batch int, limit *share, into *Cold) error {
	f, err := start(ctx, p, up, s)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is killed
	if limit != nil {
		if err := limit.limit(f.Pid()); err != nil {
			return err
		}
	}
	took, err := f.invoke(ctx, batch)
	if err != nil {
		return err
	}
	if limit != nil {
		if batch == 1 {
			into.FirstShare.Add(took)
		} else {
			into.TenShare.Add(took)
		}
		return nil
	}
	into.Init.Add(f.InitDuration())
	if batch == 1 {
		into.First.Add(took)
		into.Total.Add(f.InitDuration() + took)
	} else {
		into.FirstTen.Add(took)
	}
	return nil
}

// warmRound runs each peer in each setting, all latencies and batches in one process.
func (r *Runner) warmRound(ctx context.Context, round int) error {
	for i := range r.Peers {
		p := r.Peers[(i+round)%len(r.Peers)]
		if p.Slow && round >= r.Plan.SlowWarm {
			continue
		}
		for _, ledger := range ledgers(p) {
			settings := []Setting{{Ledger: ledger}}
			if !p.Slow && !p.Idle {
				settings = append(settings, Setting{Ledger: ledger, CA: r.CA})
			}
			if p.Name == Ours {
				settings = append(settings, Setting{Ledger: ledger, Manual: true})
			}
			for _, s := range settings {
				if err := r.warm(ctx, p, s); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *Runner) warm(ctx context.Context, p *Peer, s Setting) error {
	up := r.Plain
	if s.CA != "" {
		up = r.TLS
	}
	up.SetLatency(0)
	f, err := start(ctx, p, up, s)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is killed
	key := RunKey{p.Name, s.Ledger, s.CA != "", s.Manual}
	if r.result.Runs[key] == nil {
		r.result.Runs[key] = new(Run)
	}
	if err := r.cpu(ctx, f, r.result.Runs[key]); err != nil {
		return err
	}
	for _, latency := range Latencies {
		up.SetLatency(latency)
		for _, batch := range Batches {
			if err := r.cell(ctx, f, WarmKey{p.Name, s.Ledger, s.CA != "", s.Manual, latency, batch}); err != nil {
				return err
			}
		}
	}
	peak, err := peakOf(f.Pid())
	r.result.Runs[key].Peak = append(r.result.Runs[key].Peak, peak)
	return err
}

// cpu measures the CPU time of a record, once the process is warm.
func (r *Runner) cpu(ctx context.Context, f *running, into *Run) error {
	const warmUp, batch = 10, 10
	batches := r.Plan.CPU
	if f.peer.Slow {
		batches = max(batches/10, 3)
	}
	var before time.Duration
	for i := range warmUp + batches {
		if i == warmUp {
			var err error
			if before, err = cpuOf(f.Pid()); err != nil {
				return err
			}
		}
		if _, err := f.invoke(ctx, batch); err != nil {
			return err
		}
	}
	after, err := cpuOf(f.Pid())
	if err != nil {
		return err
	}
	into.CPU.Add((after - before) / time.Duration(batches*batch))
	peak, err := peakOf(f.Pid())
	into.Small = append(into.Small, peak)
	return err
}

// cell measures warm invocations of one latency and batch.
func (r *Runner) cell(ctx context.Context, f *running, key WarmKey) error {
	times := r.Plan.Repeat
	switch {
	case f.peer.Idle:
	case key.Latency > 100*time.Millisecond:
		times = max(times/20, 2)
	case key.Latency > 0:
		times = max(times/6, 3)
	}
	if key.Batch == 100 {
		times = max(times/4, 1)
	}
	if f.peer.Slow {
		if key.Latency > 0 && key.Batch == 100 {
			return nil // half a minute and more, which is the function's timeout
		}
		times = max(times/4, 1)
	}
	if r.result.Warm[key] == nil {
		r.result.Warm[key] = new(Sample)
	}
	for i := range times + 1 {
		took, err := f.invoke(ctx, key.Batch)
		if err != nil {
			return err
		}
		if i > 0 { // the first of a new size dials
			r.result.Warm[key].Add(took)
		}
	}
	return nil
}
