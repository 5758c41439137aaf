package config

import (
	"time"

	"dds-backup-delete/internal/arn"
)

// DurableLedger says what LEDGER must be where the ledger has to outlive the process: what the program has on this host.
func DurableLedger() string {
	switch {
	case InFunctionGraph():
		return "redis://<host>:<port>, for example redis://valkey.example.com:6379"
	case InLambda():
		return "dynamodb://<table>, for example dynamodb://dds-backup-delete"
	default:
		return "dynamodb://<table> or redis://<host>:<port>, for example dynamodb://dds-backup-delete"
	}
}

// wantLedger says what LEDGER may be. On a function, memory is of use for a trial only, so it is not offered.
func wantLedger() string {
	if InLambda() || InFunctionGraph() {
		return DurableLedger()
	}
	return "memory, dynamodb://<table>, redis://<host>:<port> or rediss://<host>:<port>, for example dynamodb://dds-backup-delete"
}

// needDurable is the fault of a variable that needs a ledger that outlives the process.
func (p *parser) needDurable(variable, instead string) {
	p.fault("%s needs a ledger that outlives the process; expected LEDGER=%s, or %s", variable, DurableLedger(), instead)
}

// checkAgenda checks what the agenda needs: a ledger that outlives the process, and times that make sense.
func (p *parser) checkAgenda(durable bool) {
	if p.Follow && !p.RequireManual {
		p.fault("FOLLOW: needs REQUIRE_MANUAL, because only a backup that was seen before its deletion can be seen to be gone; " +
			"expected REQUIRE_MANUAL=true, or FOLLOW=false")
	}
	if p.Follow && !durable {
		p.needDurable("FOLLOW:", "FOLLOW=false")
	}
	if p.FollowAlarmAfter < 5*time.Minute || p.FollowAlarmAfter > 7*24*time.Hour {
		p.fault("FOLLOW_ALARM_AFTER: %q is not a time that a deletion may take; expected 5m to 168h, for example 2h", p.FollowAlarmAfter)
	}
	switch {
	case p.DirectCalls != "async" && p.DirectCalls != "sync":
		p.fault("DIRECT_CALLS: %s is not a kind of invocation; expected sync or async", quote(p.DirectCalls))
	case p.DirectCalls == "async" && !durable:
		p.needDurable("DIRECT_CALLS: async", "DIRECT_CALLS=sync")
	}
	if p.MaxRequestAge != 0 && (p.MaxRequestAge < time.Minute || p.MaxRequestAge > 366*24*time.Hour) {
		p.fault("MAX_REQUEST_AGE: %q is not a request age; expected 1m to 8784h, for example 36h, or 0 for no limit", p.MaxRequestAge)
	}
	if p.MaxReceives < 0 || p.MaxReceives > 1000 {
		p.fault("QUEUE_MAX_RECEIVES: \"%d\" is not a number of receives; expected 1 to 1000, for example 10, or 0 if it is not known", p.MaxReceives)
	}
}

// tickBus returns the bus that TICK_BUS names; the zero value if it is not set.
func (p *parser) tickBus() arn.ARN {
	if p.TickBus == "" {
		return arn.ARN{}
	}
	bus, ok := arn.Parse(p.TickBus)
	if !ok || sinkKinds[bus.Service] != EventBridge {
		p.fault("TICK_BUS: %s is not an event bus; expected its ARN, for example arn:aws:events:eu-central-1:123456789012:event-bus/default", quote(p.TickBus))
		return arn.ARN{}
	}
	p.needAWSKeys("TICK_BUS")
	return bus
}
