;; An otlp-to-otlp plugin by hand, honest as it stands: each record goes on unchanged. A misdeed is put in one of the
;; places named `;;@`, and runs in calls that have a record of seven bytes. Memory is never given back.
(module
  (import "weir:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (type $nothing (func))
  (memory (export "memory") ;;@memory
  )
  (table $table ;;@table
    funcref)
  (global $next (mut i32) (i32.const 4096))
  (global $is_bad (mut i32) (i32.const 0))
  (global $calls (mut i32) (i32.const 0))
  ;;@module

  (func $alloc (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at
      (i32.and
        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $next (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    ;;@realloc
    (call $alloc (local.get $align) (local.get $size)))

  (func (export "weir:plugin/otlp-to-otlp@0.1.0#configure") (param $settings i32) (param $count i32) (result i32)
    ;;@configure
    (i32.const 16))

  ;; $messages: 56 bytes each, the value's address and length first. The answer is at 32: a tag, address and number of
  ;; outcomes; an outcome is a tag of four bytes (0 unchanged, 1 changed), address and length of the value.
  (func (export "weir:plugin/otlp-to-otlp@0.1.0#transform")
    (param $signal i32) (param $topic i32) (param $topic_length i32) (param $partition i32)
    (param $messages i32) (param $count i32) (result i32)
    (local $outcomes i32) (local $at i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (local.set $outcomes (call $alloc (i32.const 4) (i32.mul (local.get $count) (i32.const 12))))
    (i32.store (i32.const 32) (i32.const 0))
    (i32.store (i32.const 36) (local.get $outcomes))
    (i32.store (i32.const 40) (local.get $count))
    (global.set $is_bad (i32.const 0))
    (block $end
      (loop $each
        (br_if $end (i32.eq (local.get $at) (local.get $count)))
        (if (i32.eq
              (i32.load offset=4 (i32.add (local.get $messages) (i32.mul (local.get $at) (i32.const 56))))
              (i32.const 7))
          (then (global.set $is_bad (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $each)))
    (if (global.get $is_bad) (then
      ;;@transform
    ))
    ;;@always
    (i32.const 32))

  (func (export "cabi_post_weir:plugin/otlp-to-otlp@0.1.0#transform") (param $answer i32)
    (if (global.get $is_bad) (then
      ;;@post
    )))
)
