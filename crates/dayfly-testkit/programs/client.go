// The client of client.c in Go; see there. Words: count, requests, turns.
//
// Statically linked and with its own system calls, so nothing can come between it and the kernel
// inside its process. connect and udp go through the package net, whose sockets never block;
// the rest uses the bare calls.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var (
	call        = os.Args[1]
	address     = os.Args[2]
	destination = net.JoinHostPort(address, os.Args[3])
	words       = map[string]string{}
)

const msgFastopen = 0x20000000

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func sockaddr() (syscall.Sockaddr, int) {
	port, err := strconv.Atoi(os.Args[3])
	if err != nil {
		fail(err)
	}
	ip := net.ParseIP(address)
	if !strings.Contains(address, ":") {
		to := &syscall.SockaddrInet4{Port: port}
		copy(to.Addr[:], ip.To4())
		return to, syscall.AF_INET
	}
	to := &syscall.SockaddrInet6{Port: port}
	copy(to.Addr[:], ip.To16())
	return to, syscall.AF_INET6
}

// bare opens a socket with the calls themselves.
func bare(ask bool) (io.ReadWriteCloser, error) {
	to, family := sockaddr()
	kind, flags := syscall.SOCK_DGRAM, 0
	if call == "fastopen" || call == "connect" {
		kind, flags = syscall.SOCK_STREAM, msgFastopen
	}
	fd, err := syscall.Socket(family, kind|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if call == "connect" {
		if err = syscall.Connect(fd, to); err == nil && ask {
			_, err = syscall.Write(fd, []byte("?\n"))
		}
	} else {
		err = syscall.Sendto(fd, []byte("?\n"), flags, to)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "socket"), nil
}

func open(ask bool) (io.ReadWriteCloser, error) {
	network := "tcp"
	if call == "udp" {
		network = "udp"
	}
	// The package net takes the IPv4 address out of a mapped one; the bare calls do not.
	if strings.HasPrefix(address, "::ffff:") || call == "fastopen" || call == "sendto" {
		return bare(ask)
	}
	client, err := net.Dial(network, destination)
	if err != nil {
		return nil, err
	}
	if ask {
		_, err = client.Write([]byte("?\n"))
	}
	return client, err
}

func answer(client io.Reader) string {
	buffer := make([]byte, 80)
	got, err := client.Read(buffer)
	if err != nil {
		fail(err)
	}
	return string(buffer[:got])
}

func requests(count int) {
	for i := 0; i < count; i++ {
		client, err := open(true)
		if err != nil {
			fail(err)
		}
		answer(client)
		if connection, ok := client.(*net.TCPConn); ok {
			connection.CloseWrite()
			io.ReadAll(client)
		}
		client.Close()
	}
	fmt.Println(count)
}

func turns(batch int) {
	input, output := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	for {
		if _, err := input.ReadByte(); err != nil {
			return
		}
		for i := 0; i < batch; i++ {
			begun := time.Now()
			client, err := open(false)
			took := time.Since(begun)
			if err != nil {
				fail(err)
			}
			if connection, ok := client.(*net.TCPConn); ok {
				connection.SetLinger(0)
			}
			client.Close()
			fmt.Fprintf(output, "%d ", took.Nanoseconds())
		}
		fmt.Fprintln(output)
		output.Flush()
	}
}

func main() {
	for _, word := range os.Args[4:] {
		name, value, _ := strings.Cut(word, "=")
		words[name] = value
	}
	number := func(name string) int {
		number, _ := strconv.Atoi(words[name])
		return number
	}
	if words["turns"] != "" {
		turns(number("turns"))
		return
	}
	if words["requests"] != "" {
		requests(number("requests"))
		return
	}
	count := 1
	if words["count"] != "" {
		count = number("count")
	}
	clients := make([]io.ReadWriteCloser, count)
	for i := range clients {
		client, err := open(true)
		if err != nil {
			fail(err)
		}
		clients[i] = client
	}
	for _, client := range clients {
		fmt.Print(answer(client))
	}
}
