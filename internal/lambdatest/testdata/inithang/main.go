// Command inithang never asks for an event.
package main

import "time"

func main() { time.Sleep(time.Hour) }
