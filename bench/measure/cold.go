package measure

import (
	"context"
	"time"
)

// Template is what a user gets with template.yaml.
var Template = Setting{Ledger: true, TLS: true, Manual: true}

// coldCell is a start and a first invocation to measure.
type coldCell struct {
	key   ColdKey // without the peer
	peers []*Peer
	every int // in each round, or in every second, and so on
}

// goalCells are the rows with the template's settings, and those of the goals.
func (r *Runner) goalCells() []coldCell {
	pair := r.named(Ours, SDKGo)
	stored := Setting{Ledger: true, TLS: true}
	return []coldCell{
		{ColdKey{Setting: Template, Latency: Near, Batch: 10, Share: true}, r.Peers, 1},
		{ColdKey{Setting: Template, Latency: Far, Batch: 10, Share: true}, r.Peers, 2},
		{ColdKey{Setting: stored, Batch: 10, Share: true}, pair, 1},
		{ColdKey{Setting: stored, Latency: Near, Batch: 10}, pair, 1},
		{ColdKey{Setting: Template, Latency: Near, Batch: 10}, pair, 1},
		{ColdKey{Setting: stored, Batch: 1}, pair, 1},
		{ColdKey{Setting: Setting{TLS: true}, Batch: 1}, r.named(NoOp, Ours, SDKGo), 1},
		{ColdKey{Batch: 1}, r.named(NoOp, Ours, SDKGo), 1},
	}
}

// startCells are all the settings of TLS and ledger, without latency.
func (r *Runner) startCells() []coldCell {
	var cells []coldCell
	for _, tls := range []bool{true, false} {
		for _, ledger := range []bool{true, false} {
			peers := r.Peers
			if ledger {
				peers = r.named(Ours, SDKGo, Powertools)
			}
			for _, batch := range []int{10, 1} {
				key := ColdKey{Setting: Setting{TLS: tls, Ledger: ledger}, Batch: batch}
				cells = append(cells, coldCell{key, peers, 1})
				if key.Share = true; tls {
					cells = append(cells, coldCell{key, peers, 1})
				}
			}
		}
	}
	return cells
}

// ConnectionsAtStart are the numbers of connections that are compared.
var ConnectionsAtStart = []int{1, 10}

// connectionCells are what this project pays and saves with the template's settings.
func (r *Runner) connectionCells() []coldCell {
	var cells []coldCell
	for _, latency := range Latencies {
		every := 1
		if latency == Far {
			every = 2
		}
		for _, share := range []bool{true, false} {
			for _, batch := range []int{1, 10} {
				for _, n := range ConnectionsAtStart {
					setting := Template
					setting.Connections = n
					cells = append(cells, coldCell{ColdKey{Setting: setting, Latency: latency, Batch: batch, Share: share}, r.named(Ours), every})
				}
			}
		}
	}
	return cells
}

// coldRound starts the peers of each cell once, the peers of a cell one after the other.
func (r *Runner) coldRound(cells []coldCell) func(context.Context, int) error {
	return func(ctx context.Context, round int) error {
		for _, cell := range cells {
			if round%cell.every != 0 || cell.key.Share && r.share == nil {
				continue
			}
			for i := range cell.peers {
				p := cell.peers[(i+round)%len(cell.peers)] // nobody is always first
				if p.Slow && round%(r.Plan.SlowEvery*cell.every) != 0 {
					continue
				}
				if err := r.cold(ctx, p, cell.key); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// cold starts a peer once, and limits it afterwards to a share of a CPU, if that is asked for.
func (r *Runner) cold(ctx context.Context, p *Peer, key ColdKey) error {
	key.Peer = p.Name
	r.upstream(key.Setting).SetLatency(key.Latency)
	f, err := r.start(ctx, p, key.Setting)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is killed
	startCPU, err := cpuOf(f.Pid())
	if err != nil {
		return err
	}
	if key.Share {
		if err := r.share.limit(f.Pid()); err != nil {
			return err
		}
	}
	var first Times
	if err := f.invoke(ctx, key.Batch, &first); err != nil {
		return err
	}
	into := r.result.Cold[key]
	if into == nil {
		into = new(Cold)
		r.result.Cold[key] = into
	}
	into.Start.Add(f.InitDuration(), startCPU)
	into.First.append(first)
	into.Sum.Add(f.InitDuration()+milliseconds(first.Wall[0]), startCPU+milliseconds(first.CPU[0]))
	return nil
}

func milliseconds(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

func (t *Times) append(others Times) {
	t.Wall = append(t.Wall, others.Wall...)
	t.CPU = append(t.CPU, others.CPU...)
}
