package main

import "testing"

func TestCPUs(t *testing.T) {
	for memory, want := range map[int]int{0: 1, 128: 1, 1769: 1, 1770: 2, 3008: 2, 10240: 6} {
		if got := cpus(memory); got != want {
			t.Errorf("%d MB: %d, want %d", memory, got, want)
		}
	}
}
