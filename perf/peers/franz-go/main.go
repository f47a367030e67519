// franz-go, measured: the flags and their meanings are those of perf/README.md, "One set of flags".
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type options struct {
	bootstrap, topic, payload, acks, idempotence, compression  string
	records, warmup, size, key, level, linger, batch, inflight int64
	bufferKB, partitions, chunk, rate, sample                  int64
	extra                                                      extra
}

type extra []string

func (e *extra) String() string { return strings.Join(*e, " ") }
func (e *extra) Set(text string) error {
	*e = append(*e, text)
	return nil
}

const notGiven = math.MinInt64

func parse() *options {
	o := &options{}
	text := func(to *string, name, value, usage string) { flag.StringVar(to, name, value, usage) }
	number := func(to *int64, name string, value int64, usage string) { flag.Int64Var(to, name, value, usage) }
	text(&o.bootstrap, "bootstrap", "", "HOST:PORT[,..]")
	text(&o.topic, "topic", "perf", "topic")
	number(&o.records, "records", 1_000_000, "records to measure")
	number(&o.warmup, "warmup", 100_000, "records before")
	number(&o.size, "size", 100, "bytes of a value")
	text(&o.payload, "payload", "random", "random or a file (perf/payload makes one of json)")
	number(&o.key, "key", 0, "0 or 16: bytes of a key")
	text(&o.acks, "acks", "all", "0, 1, all")
	text(&o.idempotence, "idempotence", "on", "on, off")
	text(&o.compression, "compression", "none", "none, lz4, zstd, snappy, gzip")
	number(&o.level, "level", notGiven, "compression level")
	number(&o.linger, "linger", notGiven, "ms")
	number(&o.batch, "batch", notGiven, "bytes of a batch")
	number(&o.inflight, "inflight", notGiven, "requests in flight to a broker")
	number(&o.bufferKB, "buffer-kb", notGiven, "KB of buffered records")
	number(&o.partitions, "partitions", 12, "partitions, in turn")
	number(&o.chunk, "chunk", 1, "records to one partition before the next")
	number(&o.rate, "rate", 0, "records/s in bursts of 1 ms; 0: as fast as possible")
	number(&o.sample, "sample", 100, "latency of each so many-th record")
	flag.Var(&o.extra, "X", "key=value; known: GOGC (400), max_buffered_records, streaming_compression (on)")
	flag.Parse()
	if flag.NArg() > 0 || o.bootstrap == "" || o.size < 1 || o.partitions < 1 || o.chunk < 1 || o.sample < 1 || o.records < 1 {
		fail("a command line that makes no sense (see --help)")
	}
	return o
}

func fail(text string, values ...any) {
	fmt.Fprintf(os.Stderr, "franz-go: error: "+text+"\n", values...)
	os.Exit(2)
}

// splitmix64, as in perf/README.md, "Payloads".
type splitmix uint64

func (s *splitmix) next() uint64 {
	*s += 0x9E3779B97F4A7C15
	w := uint64(*s)
	w = (w ^ w>>30) * 0xBF58476D1CE4E5B9
	w = (w ^ w>>27) * 0x94D049BB133111EB
	return w ^ w>>31
}

func values(o *options) [][]byte {
	var all []byte
	if o.payload == "random" {
		all = make([]byte, (max(1<<20, o.size)+7)/8*8)
		draw := splitmix(2)
		for i := 0; i < len(all); i += 8 {
			binary.LittleEndian.PutUint64(all[i:], draw.next())
		}
		all = all[:max(1<<20, o.size)]
	} else {
		var err error
		if all, err = os.ReadFile(o.payload); err != nil {
			fail("%v", err)
		}
	}
	size := int(o.size)
	if len(all) < size {
		fail("the payload is smaller than a record")
	}
	made := make([][]byte, 0, len(all)/size)
	for i := 0; i+size <= len(all); i += size {
		made = append(made, all[i:i+size:i+size])
	}
	return made
}

func keys(o *options) [][]byte {
	if o.key == 0 {
		return [][]byte{nil}
	}
	if o.key != 16 {
		fail("--key is 0 or 16")
	}
	draw := splitmix(3)
	made := make([][]byte, 1024)
	for i := range made {
		made[i] = fmt.Appendf(nil, "%016x", draw.next())
	}
	return made
}

func clientOptions(o *options) []kgo.Opt {
	made := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(o.bootstrap, ",")...),
		kgo.DefaultProduceTopic(o.topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.AllowAutoTopicCreation(),
	}
	switch o.acks {
	case "all", "-1":
		made = append(made, kgo.RequiredAcks(kgo.AllISRAcks()))
	case "1":
		made = append(made, kgo.RequiredAcks(kgo.LeaderAck()))
	case "0":
		made = append(made, kgo.RequiredAcks(kgo.NoAck()))
	default:
		fail("--acks is 0, 1 or all")
	}
	if o.idempotence == "off" {
		made = append(made, kgo.DisableIdempotentWrite())
		if o.inflight != notGiven {
			made = append(made, kgo.MaxProduceRequestsInflightPerBroker(int(o.inflight)))
		}
	} else if o.inflight != notGiven && o.inflight != 5 {
		fail("--inflight is always 5 in this client where it is idempotent")
	}
	var codec kgo.CompressionCodec
	switch o.compression {
	case "none":
		codec = kgo.NoCompression()
	case "lz4":
		codec = kgo.Lz4Compression()
	case "zstd":
		codec = kgo.ZstdCompression()
	case "snappy":
		codec = kgo.SnappyCompression()
	case "gzip":
		codec = kgo.GzipCompression()
	default:
		fail("--compression %s is not known", o.compression)
	}
	if o.level != notGiven {
		codec = codec.WithLevel(int(o.level))
	}
	made = append(made, kgo.ProducerBatchCompression(codec))
	if o.linger != notGiven {
		made = append(made, kgo.ProducerLinger(time.Duration(o.linger)*time.Millisecond))
	}
	if o.batch != notGiven {
		made = append(made, kgo.ProducerBatchMaxBytes(int32(o.batch)))
	}
	if o.bufferKB != notGiven {
		made = append(made, kgo.MaxBufferedBytes(int(o.bufferKB*1024)), kgo.MaxBufferedRecords(math.MaxInt32))
	}
	percent := 400
	for _, each := range o.extra {
		key, value, _ := strings.Cut(each, "=")
		number := 0
		if _, err := fmt.Sscan(value, &number); err != nil && key != "streaming_compression" {
			fail("-X %s: not a number", each)
		}
		switch key {
		case "GOGC":
			percent = number
		case "max_buffered_records":
			made = append(made, kgo.MaxBufferedRecords(number))
		case "streaming_compression":
			made = append(made, kgo.StreamingCompression())
		default:
			fail("-X %s: this client has no such key", each)
		}
	}
	debug.SetGCPercent(percent)
	return made
}

// What is counted by promises, which run one after the other in a goroutine of the client.
type outcome struct {
	acknowledged, failed atomic.Int64
	mutex                sync.Mutex
	latencies            []int64
	firstError           error
}

type sender struct {
	o       *options
	client  *kgo.Client
	values  [][]byte
	keys    [][]byte
	pool    sync.Pool
	out     outcome
	sent    int64
	promise func(*kgo.Record, error)
	timer   *os.File
}

func (s *sender) finish(r *kgo.Record, err error) {
	if err != nil {
		if s.out.failed.Add(1) == 1 {
			fmt.Fprintf(os.Stderr, "franz-go: a record failed: %v\n", err)
		}
	} else {
		s.out.acknowledged.Add(1)
	}
	*r = kgo.Record{}
	s.pool.Put(r)
}

func (s *sender) send(number int64, isSampled bool) {
	r := s.pool.Get().(*kgo.Record)
	r.Topic = s.o.topic
	r.Value = s.values[s.sent%int64(len(s.values))]
	r.Key = s.keys[s.sent%int64(len(s.keys))]
	r.Partition = int32(number / s.o.chunk % s.o.partitions)
	s.sent++
	if !isSampled {
		s.client.Produce(context.Background(), r, s.promise)
		return
	}
	begin := time.Now()
	s.client.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		took := time.Since(begin).Nanoseconds()
		s.out.mutex.Lock()
		s.out.latencies = append(s.out.latencies, took)
		s.out.mutex.Unlock()
		s.finish(r, err)
	})
}

// Sends so many records, at the rate asked for if it is not the warm-up, and waits until all are acknowledged.
func (s *sender) run(count int64, isMeasured bool) {
	rate := s.o.rate
	if !isMeasured {
		rate = 0
	}
	begin := time.Now()
	sent := int64(0)
	for millisecond := int64(1); sent < count; millisecond++ {
		until := count
		if rate > 0 {
			until = min(count, rate*millisecond/1000)
		}
		for ; sent < until; sent++ {
			s.send(sent, isMeasured && sent%s.o.sample == 0)
		}
		if rate > 0 && sent < count {
			s.sleepUntil(begin.Add(time.Duration(millisecond) * time.Millisecond))
		}
	}
	if err := s.client.Flush(context.Background()); err != nil {
		fail("flush: %v", err)
	}
}

// A timer's file descriptor wakes the runtime's poller on time; time.Sleep may be a millisecond late.
func (s *sender) sleepUntil(when time.Time) {
	left := time.Until(when)
	if left <= 0 {
		return
	}
	set := [2]syscall.Timespec{1: syscall.NsecToTimespec(left.Nanoseconds())}
	if err := timerSet(s.timer, &set); err != nil {
		fail("timerfd: %v", err)
	}
	var expired [8]byte
	if _, err := s.timer.Read(expired[:]); err != nil {
		fail("timerfd: %v", err)
	}
}

func cpuSeconds() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

func residentMax() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Maxrss) * 1024 / 1e6
}

func (s *sender) report(stop chan struct{}) {
	tick := time.NewTicker(time.Second)
	last := int64(0)
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			now := s.out.acknowledged.Load()
			fmt.Fprintf(os.Stderr, "franz-go: %d acknowledged, %d records/s\n", now, now-last)
			last = now
		}
	}
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, each := range info.Deps {
		if each.Path == "github.com/twmb/franz-go" {
			return each.Version + ", " + runtime.Version()
		}
	}
	return runtime.Version()
}

func main() {
	o := parse()
	s := &sender{o: o, values: values(o), keys: keys(o)}
	s.pool.New = func() any { return new(kgo.Record) }
	s.promise = s.finish
	s.timer = newTimer()
	var err error
	if s.client, err = kgo.NewClient(clientOptions(o)...); err != nil {
		fail("%v", err)
	}
	stop := make(chan struct{})
	go s.report(stop)
	if o.warmup > 0 {
		s.run(o.warmup, false)
	}
	s.out.latencies = make([]int64, 0, o.records/o.sample+1)

	cpuBefore, before, acknowledgedBefore := cpuSeconds(), time.Now(), s.out.acknowledged.Load()
	s.run(o.records, true)
	wall, cpu := time.Since(before).Seconds(), cpuSeconds()-cpuBefore
	acknowledged := s.out.acknowledged.Load() - acknowledgedBefore
	close(stop)
	s.client.Close()

	slices.Sort(s.out.latencies)
	percentile := func(part float64) any {
		if len(s.out.latencies) == 0 {
			return nil
		}
		at := min(len(s.out.latencies)-1, int(part*float64(len(s.out.latencies))))
		return math.Round(float64(s.out.latencies[at])/100) / 10
	}
	round := func(value float64, digits float64) float64 {
		scale := math.Pow(10, digits)
		return math.Round(value*scale) / scale
	}
	line, _ := json.Marshal(map[string]any{
		"peer": "franz-go", "version": version(), "records": acknowledged, "size": o.size,
		"records_s": round(float64(acknowledged)/wall, 0), "mb_s": round(float64(acknowledged*o.size)/wall/1e6, 2),
		"wall_s": round(wall, 4), "cpu_s": round(cpu, 4), "cpu_s_per_m": round(cpu/float64(max(acknowledged, 1))*1e6, 4),
		"rss_mb": round(residentMax(), 1),
		"p50_us": percentile(.5), "p95_us": percentile(.95), "p99_us": percentile(.99), "p999_us": percentile(.999),
		"max_us": percentile(1), "errors": s.out.failed.Load(),
	})
	fmt.Println(string(line))
	if s.out.failed.Load() > 0 {
		os.Exit(1)
	}
}
