// What gVisor's port manager takes to reserve a port and release it, at several occupancies: one
// destination, 16,384 ports. Prints "taken mean-ns median-ns" per line, and "full mean-ns median-ns"
// for reservations that fail.
package main

import (
	"fmt"
	"math/rand"
	"sort"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/ports"
)

const (
	first = 49152
	last  = 65535
	count = last - first + 1
)

func reservation(port uint16) ports.Reservation {
	return ports.Reservation{
		Networks:  []tcpip.NetworkProtocolNumber{header.IPv4ProtocolNumber},
		Transport: header.TCPProtocolNumber,
		Addr:      tcpip.Address("\xc0\x00\x02\x01"),
		Port:      port,
		Dest:      tcpip.FullAddress{Addr: tcpip.Address("\xc6\x33\x64\x07"), Port: 443},
	}
}

func main() {
	rng := rand.New(rand.NewSource(1))
	for _, taken := range []int{0, count / 2, count * 9 / 10, count * 99 / 100, count - 16, count - 1, count} {
		manager := ports.NewPortManager()
		if err := manager.SetPortRange(first, last); err != nil {
			panic(err)
		}
		// The ports to be taken, at random.
		held := rng.Perm(count)[:taken]
		for _, port := range held {
			if _, err := manager.ReservePort(rng, reservation(uint16(first+port)), nil); err != nil {
				panic(err)
			}
		}
		times := measure(manager, rng, held, taken == count)
		sum := 0.0
		for _, t := range times {
			sum += t
		}
		sort.Float64s(times)
		name := fmt.Sprint(taken)
		if taken == count {
			name = "full"
		}
		fmt.Printf("%s %.1f %.1f\n", name, sum/float64(len(times)), times[len(times)/2])
	}
}

// One pair after the other for a third of a second, at least 30 of them.
func measure(manager *ports.PortManager, rng *rand.Rand, held []int, full bool) []float64 {
	var times []float64
	begin := time.Now()
	for len(times) < 30 || time.Since(begin) < 300*time.Millisecond && len(times) < 200000 {
		start := time.Now()
		port, err := manager.ReservePort(rng, reservation(0), nil)
		if err == nil {
			manager.ReleasePort(reservation(port))
		} else if !full {
			panic(err)
		}
		times = append(times, float64(time.Since(start).Nanoseconds()))
		// Churn, outside the measured time: another port is free the next time.
		if len(held) > 0 && !full {
			slot := rng.Intn(len(held))
			manager.ReleasePort(reservation(uint16(first + held[slot])))
			fresh, err := manager.ReservePort(rng, reservation(0), nil)
			if err != nil {
				panic(err)
			}
			held[slot] = int(fresh) - first
		}
	}
	return times
}
