// Reads and makes a column of each kind: what the SDK for Go can do with rows. ../rows-c is the same.
package main

import (
	"errors"

	"weir"
	"weir/arrowtoarrow"
)

type plugin struct {
	name, service, parent arrowtoarrow.Texts
	durationMs            arrowtoarrow.Floats
	timestamp, statusCode arrowtoarrow.Ints
	isSlow                *arrowtoarrow.BoolColumn
	seconds               *arrowtoarrow.IntColumn
	halfMs                *arrowtoarrow.FloatColumn
	label                 *arrowtoarrow.TextColumn
	refuse                string
}

func configure(settings *weir.Settings, plan *arrowtoarrow.Plan) (arrowtoarrow.Plugin, error) {
	refuse, err := settings.Text("refuse", "")
	spans, missing := plan.Table("spans")
	if err = errors.Join(err, missing); err != nil {
		return nil, err
	}
	p := &plugin{refuse: refuse}
	var errs [8]error
	errs[0] = spans.Without("events")
	errs[1] = spans.Rename("operation_name", "name")
	p.isSlow = spans.AddBools("is_slow", "Whether it took a second or more.")
	p.seconds = spans.AddInts("seconds", "When it began, since 1970.")
	p.halfMs = spans.AddFloats("half_ms", "Half of what it took; none of what was at once.")
	// Takes the place of the column of this name.
	p.label = spans.AddTexts("status_message", "Service and status; none where that is 0.")
	p.name, errs[2] = plan.Texts("spans", "operation_name")
	p.service, errs[3] = plan.Texts("spans", "service_name")
	p.parent, errs[4] = plan.Texts("spans", "parent_span_id")
	p.durationMs, errs[5] = plan.Floats("spans", "duration_ms")
	p.timestamp, errs[6] = plan.Ints("spans", "timestamp")
	p.statusCode, errs[7] = plan.Ints("spans", "status_code")
	return p, errors.Join(errs[:]...)
}

func (p *plugin) Transform(rows *arrowtoarrow.Rows, choice *arrowtoarrow.Choice) error {
	name, service, parent := rows.Texts(p.name), rows.Texts(p.service), rows.Texts(p.parent)
	durationMs, timestamp, statusCode := rows.Floats(p.durationMs), rows.Ints(p.timestamp), rows.Ints(p.statusCode)
	choice.Keep("spans", func(row int) bool {
		text, isNamed := name.Get(row)
		if string(text) == p.refuse {
			choice.Refuse("spans", row, "its name is not liked")
		}
		_, isTimed := timestamp.Get(row)
		_, took := durationMs.Get(row)
		_, isOfOne := service.Get(row)
		return isNamed && isTimed && took && isOfOne
	})
	for row := range choice.Rows("spans") {
		if _, has := parent.Get(row); has {
			return errors.New("no span of the sample has a parent")
		}
		ms, _ := durationMs.Get(row)
		us, _ := timestamp.Get(row)
		p.isSlow.Push(ms >= 1000)
		p.seconds.Push(us / 1_000_000)
		if ms >= 1 {
			p.halfMs.Push(ms / 2)
		} else {
			p.halfMs.PushNull()
		}
		text, _ := service.Get(row)
		switch status, _ := statusCode.Get(row); status {
		case 0:
			p.label.PushNull()
		case 2:
			p.label.Push(append(text, " failed"...))
		default:
			p.label.Push(append(text, " went well"...))
		}
	}
	return nil
}

func init() { arrowtoarrow.Export(configure) }

func main() {}
