// Bare asks a registry for digests over kept connections and does nothing else: no token, no retry, no budget. It is
// the client that others are held against. One connection a worker, by net/http.
//
// Usage: bare HOST JOBS WARM DIGESTS TAGS ACCEPT. Prints digests per second, CPU microseconds a digest and peak MiB.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	host, jobs, warm, digests, tags, accept := os.Args[1], number(2), number(3), number(4), number(5), os.Args[6]
	clients := make([]*http.Client, jobs)
	for i := range clients {
		clients[i] = &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1}}
	}
	ask(clients, host, accept, warm, tags)
	start, before := time.Now(), cpu()
	ask(clients, host, accept, digests, tags)
	wall, spent := time.Since(start), cpu()-before
	fmt.Println(float64(digests)/wall.Seconds(), float64(spent.Nanoseconds())/1000/float64(digests), peak())
}

func ask(clients []*http.Client, host, accept string, count, tags int) {
	var next atomic.Int64
	var done sync.WaitGroup
	for _, client := range clients {
		done.Add(1)
		go func(client *http.Client) {
			defer done.Done()
			for {
				number := int(next.Add(1) - 1)
				if number >= count {
					return
				}
				request, err := http.NewRequest("HEAD", fmt.Sprintf("http://%s/v2/acme/app/manifests/t%d", host, number%tags), nil)
				check(err)
				request.Header.Set("Accept", accept)
				response, err := client.Do(request)
				check(err)
				check(response.Body.Close())
				if response.StatusCode != 200 || response.Header.Get("Docker-Content-Digest") == "" {
					panic(response.Status)
				}
			}
		}(client)
	}
	done.Wait()
}

// User and system time of all threads so far.
func cpu() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// The highest resident size so far, in MiB.
func peak() float64 {
	status, err := os.ReadFile("/proc/self/status")
	check(err)
	for _, line := range strings.Split(string(status), "\n") {
		if value, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 64)
			check(err)
			return kib / 1024
		}
	}
	panic("no peak")
}

func number(place int) int {
	value, err := strconv.Atoi(os.Args[place])
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
