package metrics

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sendwrap/wrapper/ledger"
)

// schema is the resolution of the native histogram: 8 buckets for each power of two.
const schema = 3

// bounds are the upper bounds of the classic buckets, in seconds.
func bounds() []float64 {
	return []float64{.1, .5, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 60, 120, 300}
}

// delay is a histogram that is both native and classic: a scraper that knows native ones takes
// those.
type delay struct {
	prometheus.Metric // the native one
	classic           []*dto.Bucket
}

// Write is that of prometheus.Metric.
func (d *delay) Write(to *dto.Metric) error {
	err := d.Metric.Write(to)
	if h := to.GetHistogram(); h != nil {
		h.Bucket, h.CreatedTimestamp = d.classic, nil // the ledger does not say when each began
	}
	return err
}

// delays adds the histogram of when clients spoke or left. The ledger has steps and no exact times:
// each client counts at the end of its step, and in the sum in the middle.
func (f *family) delays(event string, cells []uint64) {
	native, sum, count := map[int]int64{}, 0.0, uint64(0)
	below := bounds()
	classic := make([]*dto.Bucket, len(below))
	for i := range below {
		classic[i] = &dto.Bucket{UpperBound: &below[i], CumulativeCount: new(uint64)}
	}
	for i, n := range cells {
		begin, end := ledger.DelayStep(i).Seconds(), ledger.DelayStep(i+1).Seconds()
		last := i == len(cells)-1 // all that is later
		if n > 0 {
			native[int(math.Ceil(math.Log2(end)*(1<<schema)))] += int64(n)
		}
		sum += float64(n) * (begin + end) / 2
		count += n
		for b, most := range below {
			if end <= most+1e-9 && !last {
				*classic[b].CumulativeCount += n
			}
		}
	}
	desc := prometheus.NewDesc("sendwrap_delay_seconds",
		"When clients spoke or left within the greet delay.", []string{"event"}, nil)
	m, err := prometheus.NewConstNativeHistogram(desc, count, sum, native, nil, 0, schema,
		prometheus.DefNativeHistogramZeroThreshold, time.Time{}, event)
	if err != nil { // two sums of the same numbers differ
		m = prometheus.NewInvalidMetric(desc, err)
	}
	f.all = append(f.all, &delay{m, classic})
}
