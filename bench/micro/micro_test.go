package micro

import "testing"

func BenchmarkSideBySide(b *testing.B) {
	cases, err := Cases("../../events")
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range cases {
		b.Run(c.Name+"/ours", func(b *testing.B) { loop(b, c.Ours) })
		b.Run(c.Name+"/"+c.Peer, func(b *testing.B) { loop(b, c.Theirs) })
	}
}
