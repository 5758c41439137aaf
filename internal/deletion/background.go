package deletion

import "context"

type backgroundKey struct{}

// InBackground returns a context for calls to DDS that must not take the calls of requests that somebody waits
// for: they get a part of the rate, and are not repeated if they are throttled.
func InBackground(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

// IsBackground reports whether ctx comes from [InBackground].
func IsBackground(ctx context.Context) bool { return ctx.Value(backgroundKey{}) != nil }
