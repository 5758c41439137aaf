package report

// AWS list prices in US dollars, us-east-1, without any free tier, as of 2026-11.
// https://aws.amazon.com/lambda/pricing/, https://aws.amazon.com/sqs/pricing/,
// https://aws.amazon.com/eventbridge/pricing/, https://aws.amazon.com/dynamodb/pricing/on-demand/,
// https://aws.amazon.com/cloudwatch/pricing/
const (
	lambdaRequest  = 0.20 / 1e6   // an invocation
	lambdaGBSecond = 0.0000133334 // arm64; 128 MB of memory cost an eighth
	sqsRequest     = 0.40 / 1e6   // a call, of up to 64 KB
	eventEntry     = 1.00 / 1e6   // a custom event of up to 64 KB
	dynamoWrite    = 0.625 / 1e6  // a write unit, on demand: an item of up to 1 KB
	logGB          = 0.50         // ingested
	memoryGB       = 128.0 / 1024 // what template.yaml sets
	million        = 1e6
)

// Cost is the cost of a million deletions, in dollars.
type Cost struct {
	Lambda, Queue, Events, Ledger, Log float64
}

// Sum returns the total.
func (c Cost) Sum() float64 { return c.Lambda + c.Queue + c.Events + c.Ledger + c.Log }

// costOf computes the cost of a million deletions in batches, from the milliseconds of an invocation
// and the ledger writes and log bytes of a record.
func costOf(batch int, milliseconds, writes, logBytes float64) Cost {
	invocations := million / float64(batch)
	return Cost{
		Lambda: invocations * (lambdaRequest + milliseconds/1000*memoryGB*lambdaGBSecond),
		// A message is sent alone; a batch of them is received by one call and deleted by one.
		Queue:  million*sqsRequest + 2*invocations*sqsRequest,
		Events: million * eventEntry,
		Ledger: million * writes * dynamoWrite,
		Log:    million * logBytes / 1e9 * logGB,
	}
}
