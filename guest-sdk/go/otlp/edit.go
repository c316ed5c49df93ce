package otlp

import "weir"

// Level says where in a message attributes are.
type Level uint8

const (
	Resource Level = iota
	Scope
	Span
	Event
	Link
	LogRecord
	// Metric: the metadata of a metric.
	Metric
	// Point: those of a data point.
	Point
	// Exemplar: the filtered attributes of an exemplar.
	Exemplar
)

// Change is what becomes of an attribute: Keep, Drop, or Text.
type Change struct {
	drop bool
	text []byte
}

var (
	// Keep leaves an attribute as it is.
	Keep = Change{}
	// Drop takes it away.
	Drop = Change{drop: true}
)

// Text gives an attribute this text for its value.
func Text(text []byte) Change { return Change{text: append([]byte{}, text...)} }

// The messages on the way to attributes.
type kind uint8

const (
	data kind = iota
	resourceItems
	scopeItems
	numberPoints
	histogramPoints
	exponentialPoints
	summaryPoints
	numberPoint
	histogramPoint
	exponentialPoint
	summaryPoint
	// Whatever has attributes: this and a level.
	at
)

// A part of a message that leads to attributes, or is one.
type part struct {
	kind        kind
	number      uint32
	to          kind
	isAttribute bool
	level       Level
}

// The parts of messages that lead to attributes, but for items, which depend on the signal (opentelemetry-proto's
// .proto files).
var parts = []part{
	{kind: data, number: 1, to: resourceItems},
	{kind: resourceItems, number: 1, to: at + kind(Resource)},
	{kind: resourceItems, number: 2, to: scopeItems},
	{kind: scopeItems, number: 1, to: at + kind(Scope)},
	{kind: at + kind(Span), number: 11, to: at + kind(Event)},
	{kind: at + kind(Span), number: 13, to: at + kind(Link)},
	{kind: at + kind(Metric), number: 5, to: numberPoints},
	{kind: at + kind(Metric), number: 7, to: numberPoints},
	{kind: at + kind(Metric), number: 9, to: histogramPoints},
	{kind: at + kind(Metric), number: 10, to: exponentialPoints},
	{kind: at + kind(Metric), number: 11, to: summaryPoints},
	{kind: numberPoints, number: 1, to: numberPoint},
	{kind: histogramPoints, number: 1, to: histogramPoint},
	{kind: exponentialPoints, number: 1, to: exponentialPoint},
	{kind: summaryPoints, number: 1, to: summaryPoint},
	{kind: numberPoint, number: 5, to: at + kind(Exemplar)},
	{kind: histogramPoint, number: 8, to: at + kind(Exemplar)},
	{kind: exponentialPoint, number: 11, to: at + kind(Exemplar)},
	{kind: numberPoint, number: 7, isAttribute: true, level: Point},
	{kind: summaryPoint, number: 7, isAttribute: true, level: Point},
	{kind: histogramPoint, number: 9, isAttribute: true, level: Point},
	{kind: exponentialPoint, number: 1, isAttribute: true, level: Point},
	{kind: at + kind(Resource), number: 1, isAttribute: true, level: Resource},
	{kind: at + kind(Scope), number: 3, isAttribute: true, level: Scope},
	{kind: at + kind(Event), number: 3, isAttribute: true, level: Event},
	{kind: at + kind(Link), number: 4, isAttribute: true, level: Link},
	{kind: at + kind(LogRecord), number: 6, isAttribute: true, level: LogRecord},
	{kind: at + kind(Exemplar), number: 7, isAttribute: true, level: Exemplar},
	{kind: at + kind(Span), number: 9, isAttribute: true, level: Span},
	{kind: at + kind(Metric), number: 12, isAttribute: true, level: Metric},
}

// byNumber has the parts of each kind by their numbers.
var byNumber = func() (table [at + kind(Exemplar) + 1][14]*part) {
	for index := range parts {
		table[parts[index].kind][parts[index].number] = &parts[index]
	}
	return table
}()

// The items of a scope, by signal.
var items = map[weir.Signal]*part{
	weir.Traces:  {to: at + kind(Span)},
	weir.Logs:    {to: at + kind(LogRecord)},
	weir.Metrics: {to: at + kind(Metric)},
}

func find(item *part, kind kind, number uint32) *part {
	if kind == scopeItems && number == 2 {
		return item
	}
	if number >= uint32(len(byNumber[kind])) {
		return nil
	}
	return byNumber[kind][number]
}

// EditAttributes decides for each attribute of a record's value, on all levels, and gives the value that goes on: the
// value itself where nothing changed. Attributes within values are not looked at. An error of decide is given back.
func EditAttributes(signal weir.Signal, value []byte, decide func(Level, Attribute) (Change, error)) ([]byte, error) {
	return editIn(items[signal], data, value, decide)
}

func editIn(item *part, in kind, message []byte, decide func(Level, Attribute) (Change, error)) ([]byte, error) {
	return edit(message, func(field *Field) (bool, []byte, error) {
		part := find(item, in, field.Number)
		if part == nil {
			return true, nil, nil
		}
		message, err := field.Bytes()
		if err != nil {
			return false, nil, err
		}
		if part.isAttribute {
			return editAttribute(part.level, message, decide)
		}
		edited, err := editIn(item, part.to, message, decide)
		return isSame(edited, message), edited, err
	})
}

func editAttribute(level Level, message []byte, decide func(Level, Attribute) (Change, error)) (bool, []byte, error) {
	attribute, err := ReadAttribute(message)
	if err != nil {
		return false, nil, err
	}
	change, err := decide(level, attribute)
	if err != nil || change.drop {
		return false, nil, err
	}
	if change.text == nil {
		return true, nil, nil
	}
	with, err := withText(message, change.text)
	return false, with, err
}

// withText is an attribute with a text for its value.
func withText(attribute, text []byte) ([]byte, error) {
	without, err := edit(attribute, func(field *Field) (bool, []byte, error) { return field.Number != 2, nil, nil })
	if err != nil {
		return nil, err
	}
	value := appendField(make([]byte, 0, len(text)+6), 1, text)
	out := append(make([]byte, 0, len(without)+len(value)+6), without...)
	return appendField(out, 2, value), nil
}

// Item is a span, log record or metric, as it lies on the wire, with its resource.
type Item struct{ Message, Resource []byte }

// Fixed64 is the last value of one of its fields of 64 bits; 0 where there is none.
func (i Item) Fixed64(number uint32) (value uint64, err error) {
	fields := Read(i.Message)
	for fields.Next() {
		if fields.Field.Number == number {
			if value, err = fields.Field.Fixed64(); err != nil {
				return 0, err
			}
		}
	}
	return value, fields.Err
}

// Varint is the last value of one of its fields of integers or enums; 0 where there is none.
func (i Item) Varint(number uint32) (value uint64, err error) {
	fields := Read(i.Message)
	for fields.Next() {
		if fields.Field.Number == number {
			if value, err = fields.Field.Varint(); err != nil {
				return 0, err
			}
		}
	}
	return value, fields.Err
}

// Bytes is the last value of one of its fields of strings or bytes; nil where there is none.
func (i Item) Bytes(number uint32) (value []byte, err error) {
	fields := Read(i.Message)
	for fields.Next() {
		if fields.Field.Number == number {
			if value, err = fields.Field.Bytes(); err != nil {
				return nil, err
			}
		}
	}
	return value, fields.Err
}

// Find gives the last attribute of a key among those that a message has as field number: 1 of a resource, 9 of a span,
// 6 of a log record. False where there is none.
func Find(message []byte, number uint32, key string) (value Value, found bool, err error) {
	fields := Read(message)
	for fields.Next() {
		if fields.Field.Number != number {
			continue
		}
		bytes, err := fields.Field.Bytes()
		if err != nil {
			return value, false, err
		}
		attribute, err := ReadAttribute(bytes)
		if err != nil {
			return value, false, err
		}
		if string(attribute.Key) == key {
			if value, err = attribute.Value(); err != nil {
				return value, false, err
			}
			found = true
		}
	}
	return value, found, fields.Err
}

// KeepItems keeps the spans, log records or metrics for which keep says so. Scopes and resources of which no item stays
// go too, and a value of which nothing stays is empty.
func KeepItems(value []byte, keep func(Item) (bool, error)) ([]byte, error) {
	edited, _, err := editParts(value, 1, func(items []byte) ([]byte, bool, error) {
		// Of a resource in pieces, which protobuf merges, all of them.
		var resource []byte
		fields := Read(items)
		for fields.Next() {
			if fields.Field.Number == 1 {
				piece, err := fields.Field.Bytes()
				if err != nil {
					return nil, false, err
				}
				resource = join(resource, piece)
			}
		}
		return editParts(items, 2, func(items []byte) ([]byte, bool, error) {
			return editParts(items, 2, func(item []byte) ([]byte, bool, error) {
				stays, err := keep(Item{item, resource})
				return item, stays, err
			})
		})
	})
	return edited, err
}

// editParts edits each part of a message. A message that had parts and has none left goes itself: it is empty then.
func editParts(message []byte, number uint32, decide func([]byte) ([]byte, bool, error)) ([]byte, bool, error) {
	had, left := 0, 0
	edited, err := edit(message, func(field *Field) (bool, []byte, error) {
		if field.Number != number {
			return true, nil, nil
		}
		part, err := field.Bytes()
		if err != nil {
			return false, nil, err
		}
		had++
		edited, stays, err := decide(part)
		if err != nil || !stays {
			return false, nil, err
		}
		left++
		return isSame(edited, part), edited, nil
	})
	if err == nil && had > 0 && left == 0 {
		return []byte{}, false, nil
	}
	return edited, true, err
}
