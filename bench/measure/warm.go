package measure

import (
	"context"
	"time"
)

// warmRound runs each peer in each setting, all latencies and batches in one process.
func (r *Runner) warmRound(ctx context.Context, round int) error {
	full := r.Plan.Has(Warm) && round < r.Plan.Full
	for i := range r.Peers {
		p := r.Peers[(i+round)%len(r.Peers)]
		if p.Slow && !full {
			continue
		}
		for _, s := range warmSettings(p, full) {
			if err := r.warm(ctx, p, s, full); err != nil {
				return err
			}
		}
	}
	return nil
}

// warmSettings are the settings that a peer runs in.
func warmSettings(p *Peer, full bool) []Setting {
	var settings []Setting
	for _, s := range []Setting{{Ledger: true, TLS: true, Manual: true}, {Ledger: true, TLS: true}, {Ledger: true, Manual: true}, {Ledger: true}, {TLS: true}, {Manual: true}, {}} {
		alone := s == Setting{}
		switch {
		case p.Idle && !alone, p.Slow && (s.TLS || s.Manual), s.TLS && !full:
		default:
			settings = append(settings, s)
		}
	}
	return settings
}

func (r *Runner) warm(ctx context.Context, p *Peer, s Setting, full bool) error {
	up := r.upstream(s)
	up.SetLatency(0)
	f, err := r.start(ctx, p, s)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is killed
	key := RunKey{p.Name, s}
	run, err := r.cpu(ctx, f, key)
	if err != nil {
		return err
	}
	for _, latency := range Latencies {
		if !full && latency != Near {
			continue
		}
		up.SetLatency(latency)
		for _, batch := range Batches {
			if !full && batch == 1 {
				continue
			}
			if err := r.cell(ctx, f, WarmKey{key, latency, batch}); err != nil {
				return err
			}
		}
	}
	if !full {
		return nil
	}
	peak, err := peakOf(f.Pid())
	run.Peak = append(run.Peak, peak)
	return err
}

// cpu measures the CPU time of a record, once the process is warm, and its memory.
func (r *Runner) cpu(ctx context.Context, f *running, key RunKey) (*Run, error) {
	const warmUp, batch = 10, 10
	into := r.result.Runs[key]
	if into == nil {
		into = new(Run)
		r.result.Runs[key] = into
	}
	batches := Invocations
	if f.peer.Slow {
		batches /= 8
	}
	var before time.Duration
	for i := range batches {
		if i == warmUp {
			var err error
			if before, err = cpuOf(f.Pid()); err != nil {
				return nil, err
			}
		}
		if err := f.invoke(ctx, batch, new(Times)); err != nil {
			return nil, err
		}
	}
	after, err := cpuOf(f.Pid())
	if err != nil {
		return nil, err
	}
	into.CPU.Add((after - before) / time.Duration((batches-warmUp)*batch))
	peak, err := peakOf(f.Pid())
	into.Small = append(into.Small, peak)
	return into, err
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
	into := r.result.Warm[key]
	if into == nil {
		into = new(Times)
		r.result.Warm[key] = into
	}
	var all Times
	for range times + 1 {
		if err := f.invoke(ctx, key.Batch, &all); err != nil {
			return err
		}
	}
	into.append(Times{Wall: all.Wall[1:], CPU: all.CPU[1:]}) // the first of a new size dials
	return nil
}

// GOGCs are the values that are compared; the first is Go's default.
var GOGCs = []int{100, 75, 50}

// memoryRound runs this project with each GOGC: the payload that is the largest, and warm
// batches of ten with the template's settings.
func (r *Runner) memoryRound(ctx context.Context, round int) error {
	for _, p := range r.named(Ours) {
		for i := range GOGCs {
			gogc := GOGCs[(i+round)%len(GOGCs)]
			for _, ledger := range []bool{false, true} {
				if err := r.large(ctx, p, Setting{Ledger: ledger, GOGC: gogc}); err != nil {
					return err
				}
			}
			s := Template
			s.GOGC = gogc
			if err := r.batches(ctx, p, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// batches measures CPU time and memory of warm batches alone.
func (r *Runner) batches(ctx context.Context, p *Peer, s Setting) error {
	r.upstream(s).SetLatency(0)
	f, err := r.start(ctx, p, s)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is killed
	_, err = r.cpu(ctx, f, RunKey{p.Name, s})
	return err
}

// large sends the largest payload to a new process.
func (r *Runner) large(ctx context.Context, p *Peer, s Setting) error {
	r.upstream(s).SetLatency(0)
	f, err := r.start(ctx, p, s)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is killed
	before, err := cpuOf(f.Pid())
	if err != nil {
		return err
	}
	text := payload(LargeRecords, longHandle)
	took, failures, err := f.send(ctx, text)
	if err != nil {
		return err
	}
	after, err := cpuOf(f.Pid())
	if err != nil {
		return err
	}
	key := RunKey{p.Name, s}
	into := r.result.Large[key]
	if into == nil {
		into = &Large{Size: float64(len(text)) / 1e6}
		r.result.Large[key] = into
	}
	into.Times.Add(took, after-before)
	into.GivenBack = max(into.GivenBack, failures)
	peak, err := peakOf(f.Pid())
	into.Peak = append(into.Peak, peak)
	return err
}

// Merge takes from an earlier result what this one has not measured.
func (r *Result) Merge(earlier *Result) {
	merge(r.Cold, earlier.Cold)
	merge(r.Warm, earlier.Warm)
	merge(r.Runs, earlier.Runs)
	merge(r.Large, earlier.Large)
	merge(r.FunctionGraph, earlier.FunctionGraph)
	if len(r.Peers) == 0 {
		r.Peers = earlier.Peers
	}
	if len(r.Functions) == 0 {
		r.Functions = earlier.Functions
	}
}

func merge[K comparable, V any](into, from map[K]V) {
	for key, value := range from {
		if _, ok := into[key]; !ok {
			into[key] = value
		}
	}
}
