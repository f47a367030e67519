// franz-go, measured: the flags and their meanings are those of perf/README.md, "One set of flags".
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
)

const usage = `franz-go, measured. One line of JSON on stdout, progress on stderr.

usage: client --bootstrap HOST:PORT[,..] [options]       what they mean: perf/README.md, "One set of flags"
  --bootstrap H:P[,..]
  --topic T              (perf)
  --records N            (1000000)
  --warmup N             (100000)
  --size B               (100)
  --payload random|json|FILE
                         (random); json is made by perf/peers/run
  --key 0|16             (0)
  --partitions N         (12)
  --chunk K              (1)
  --rate R               (0)
  --sample K             (100)
  --acks 0|1|all         (all)
  --idempotence on|off   (on, but off with --acks 0 and 1)
  --compression none|lz4|zstd|snappy|gzip
                         (none)
  --level L              gzip 1 to 9, lz4 1 to 9, zstd 1 to 22 (of which this client has four)
  --linger MS            ProducerLinger
  --batch BYTES          ProducerBatchMaxBytes
  --inflight N           MaxProduceRequestsInflightPerBroker; always 5 where it is idempotent
  --buffer-kb KB         MaxBufferedBytes
  -X key=value           GOGC (400), max_buffered_records, streaming_compression=on|off (off)
  -h, --help
The exit status is 0 only if all records were acknowledged; 1 if not; 2 for a command line that makes no sense.
`

type options struct {
	bootstrap, topic, payload, acks, compression string
	records, warmup, size, key                   int64
	partitions, chunk, rate, sample              int64
	idempotence                                  bool
	level, linger, batch, inflight, bufferKB     *int64 // nil: the client's own
	extra                                        []string
}

const (
	many   = 1_000_000_000_000
	intMax = math.MaxInt32
)

func wholeNumber(name, text string, least, most int64) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < least || value > most {
		fail("option %s: '%s' is not a whole number from %d to %d", name, text, least, most)
	}
	return value
}

func oneOf(name, text string, allowed ...string) string {
	if !slices.Contains(allowed, text) {
		fail("option %s: expected one of %s, got '%s'", name, strings.Join(allowed, ", "), text)
	}
	return text
}

func parse(words []string) *options {
	o := &options{topic: "perf", payload: "random", acks: "all", compression: "none",
		records: 1_000_000, warmup: 100_000, size: 100, partitions: 12, chunk: 1, sample: 100}
	idempotence := ""
	for i := 0; i < len(words); i++ {
		name, value, hasValue := words[i], "", false
		if name == "--help" || name == "-h" {
			fmt.Print(usage)
			os.Exit(0)
		}
		if !strings.HasPrefix(name, "-") {
			fail("'%s' is no option (see --help)", name)
		}
		if strings.HasPrefix(name, "--") {
			name, value, hasValue = strings.Cut(name, "=")
		}
		if !hasValue {
			if i++; i == len(words) {
				fail("option %s needs a value (see --help)", name)
			}
			value = words[i]
		}
		number := func(least, most int64) int64 { return wholeNumber(name, value, least, most) }
		optional := func(least, most int64) *int64 {
			made := number(least, most)
			return &made
		}
		switch name {
		case "--bootstrap":
			o.bootstrap = value
		case "--topic":
			o.topic = value
		case "--records":
			o.records = number(1, many)
		case "--warmup":
			o.warmup = number(0, many)
		case "--size":
			o.size = number(1, 1<<30)
		case "--payload":
			o.payload = value
		case "--key":
			o.key = 0
			if oneOf(name, value, "0", "16") == "16" {
				o.key = 16
			}
		case "--partitions":
			o.partitions = number(0, 1_000_000)
		case "--chunk":
			o.chunk = number(1, many)
		case "--rate":
			o.rate = number(0, 1_000_000_000)
		case "--sample":
			o.sample = number(0, many)
		case "--acks":
			o.acks = oneOf(name, value, "0", "1", "all")
		case "--idempotence":
			idempotence = oneOf(name, value, "on", "off")
		case "--compression":
			o.compression = oneOf(name, value, "none", "lz4", "zstd", "snappy", "gzip")
		case "--level":
			o.level = optional(-intMax, intMax)
		case "--linger":
			o.linger = optional(0, intMax)
		case "--batch":
			o.batch = optional(1, intMax)
		case "--inflight":
			o.inflight = optional(1, intMax)
		case "--buffer-kb":
			o.bufferKB = optional(1, intMax)
		case "-X":
			o.extra = append(o.extra, value)
		default:
			fail("unknown option %s (see --help)", name)
		}
	}
	// Idempotent where acks allow it, unless something else is asked for.
	o.idempotence = idempotence == "on" || idempotence == "" && o.acks == "all"
	if o.bootstrap == "" {
		fail("--bootstrap is missing (see --help)")
	}
	if o.idempotence && o.acks != "all" {
		fail("option --idempotence: on needs --acks all")
	}
	if o.idempotence && o.inflight != nil && *o.inflight != 5 {
		fail("option --inflight: always 5 in this client unless --idempotence off, got '%d'", *o.inflight)
	}
	return o
}

// A command line that makes no sense.
func fail(text string, values ...any) {
	fmt.Fprintf(os.Stderr, "franz-go: error: "+text+"\n", values...)
	os.Exit(2)
}

// What went wrong later.
func giveUp(text string, values ...any) {
	fmt.Fprintf(os.Stderr, "franz-go: error: "+text+"\n", values...)
	os.Exit(1)
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
			fail("--payload %s: cannot be read (random is made, json by perf/peers/run)", o.payload)
		}
	}
	size := int(o.size)
	if len(all) < size {
		fail("--payload %s: shorter than one value of %d bytes (--size)", o.payload, size)
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
	draw := splitmix(3)
	made := make([][]byte, 1024)
	for i := range made {
		made[i] = fmt.Appendf(nil, "%016x", draw.next())
	}
	return made
}

// The codec with its level, which every codec counts in its own way.
func codecOf(o *options) kgo.CompressionCodec {
	if o.level != nil && (o.compression == "none" || o.compression == "snappy") {
		fail("option --level: compression %s has no levels; expected --compression lz4, zstd or gzip", o.compression)
	}
	var codec kgo.CompressionCodec
	most, own := int64(9), func(level int64) int { return int(level) }
	switch o.compression {
	case "none":
		codec = kgo.NoCompression()
	case "snappy":
		codec = kgo.SnappyCompression()
	case "gzip":
		codec = kgo.GzipCompression()
	case "lz4":
		codec = kgo.Lz4Compression()
		own = func(level int64) int { return 1 << (8 + level) }
	case "zstd":
		codec = kgo.ZstdCompression()
		most, own = 22, func(level int64) int { return int(zstd.EncoderLevelFromZstd(int(level))) }
	}
	if o.level == nil {
		return codec
	}
	// The client takes others, and uses its default then.
	return codec.WithLevel(own(wholeNumber("--level", strconv.FormatInt(*o.level, 10), 1, most)))
}

func clientOptions(o *options) []kgo.Opt {
	made := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(o.bootstrap, ",")...),
		kgo.DefaultProduceTopic(o.topic),
		kgo.AllowAutoTopicCreation(),
		kgo.ProducerBatchCompression(codecOf(o)),
	}
	if o.partitions > 0 {
		made = append(made, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	switch o.acks {
	case "all":
		made = append(made, kgo.RequiredAcks(kgo.AllISRAcks()))
	case "1":
		made = append(made, kgo.RequiredAcks(kgo.LeaderAck()))
	case "0":
		made = append(made, kgo.RequiredAcks(kgo.NoAck()))
	}
	if !o.idempotence {
		made = append(made, kgo.DisableIdempotentWrite())
		if o.inflight != nil {
			made = append(made, kgo.MaxProduceRequestsInflightPerBroker(int(*o.inflight)))
		}
	}
	if o.linger != nil {
		made = append(made, kgo.ProducerLinger(time.Duration(*o.linger)*time.Millisecond))
	}
	if o.batch != nil {
		made = append(made, kgo.ProducerBatchMaxBytes(int32(*o.batch)))
	}
	if o.bufferKB != nil {
		made = append(made, kgo.MaxBufferedBytes(int(*o.bufferKB*1024)), kgo.MaxBufferedRecords(math.MaxInt32))
	}
	percent := 400
	for _, each := range o.extra {
		key, value, hasValue := strings.Cut(each, "=")
		if !hasValue || key == "" {
			fail("option -X: expected key=value, got '%s'", each)
		}
		switch key {
		case "GOGC":
			percent = int(wholeNumber("-X GOGC", value, -1, intMax))
		case "max_buffered_records":
			made = append(made, kgo.MaxBufferedRecords(int(wholeNumber("-X max_buffered_records", value, 1, intMax))))
		case "streaming_compression":
			if oneOf("-X streaming_compression", value, "on", "off") == "on" {
				made = append(made, kgo.StreamingCompression())
			}
		default:
			fail("option -X: this client has no key '%s'; it has GOGC, max_buffered_records, streaming_compression", key)
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

func (s *sender) send(isSampled bool) {
	r := s.pool.Get().(*kgo.Record)
	r.Topic = s.o.topic
	r.Value = s.values[s.sent%int64(len(s.values))]
	r.Key = s.keys[s.sent%int64(len(s.keys))]
	if s.o.partitions > 0 {
		r.Partition = int32(s.sent / s.o.chunk % s.o.partitions)
	}
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
			s.send(isMeasured && s.o.sample > 0 && sent%s.o.sample == 0)
		}
		if rate > 0 && sent < count {
			s.sleepUntil(begin.Add(time.Duration(millisecond) * time.Millisecond))
		}
	}
	if err := s.client.Flush(context.Background()); err != nil {
		giveUp("flush: %v", err)
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
		giveUp("timerfd: %v", err)
	}
	var expired [8]byte
	if _, err := s.timer.Read(expired[:]); err != nil {
		giveUp("timerfd: %v", err)
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
	o := parse(os.Args[1:])
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
	if o.sample > 0 {
		s.out.latencies = make([]int64, 0, o.records/o.sample+1)
	}

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
	perMillion := 0.0
	if acknowledged > 0 {
		perMillion = cpu / float64(acknowledged) * 1e6
	}
	line, _ := json.Marshal(map[string]any{
		"peer": "franz-go", "version": version(), "records": acknowledged, "size": o.size,
		"records_s": round(float64(acknowledged)/wall, 0), "mb_s": round(float64(acknowledged*o.size)/wall/1e6, 2),
		"wall_s": round(wall, 4), "cpu_s": round(cpu, 4), "cpu_s_per_m": round(perMillion, 4),
		"rss_mb": round(residentMax(), 1),
		"p50_us": percentile(.5), "p95_us": percentile(.95), "p99_us": percentile(.99), "p999_us": percentile(.999),
		"max_us": percentile(1), "errors": s.out.failed.Load(),
	})
	fmt.Println(string(line))
	if s.out.failed.Load() > 0 {
		os.Exit(1)
	}
}
