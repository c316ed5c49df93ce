;; What a language's runtime insists on of WASI (preview 1), answered inside the component. Nothing of it reaches the
;; host but lines for the log: there is no file, no network, no argument and no environment; the clock begins at a fixed
;; time and moves when it is read or waited for; random numbers are the same in each instance.
;;
;; The host may not be called while it lowers arguments into a guest, and Go reads the clock then: so it is here.
;;
;; It shares the plugin's memory, and has no data, no table and no stack of its own.
(module
  (import "env" "memory" (memory 0))
  (import "weir:plugin/log@0.1.0" "write" (func $log (param $level i32) (param $at i32) (param $length i32)))

  ;; Clocks: nanoseconds since 1970, a microsecond later at each look. It begins on 2024-01-01.
  (global $now (mut i64) (i64.const 1704067200000000000))
  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $to i32) (result i32)
    global.get $now
    i64.const 1000
    i64.add
    global.set $now
    local.get $to
    global.get $now
    i64.store
    i32.const 0)
  (func (export "clock_res_get") (param $clock i32) (param $to i32) (result i32)
    local.get $to
    i64.const 1000
    i64.store
    i32.const 0)

  ;; Waits are over at once, with the clock moved to their ends. What waits for a file waits for nothing. A subscription
  ;; has 48 bytes: user data, kind at 8 (0 is a clock), time at 24, flags at 40 (1 is absolute); an event 32.
  (func (export "poll_oneoff") (param $from i32) (param $to i32) (param $left i32) (param $count i32) (result i32)
    (local $first i32)
    (local $due i64)
    (local.set $first (local.get $to))
    (loop $each
      (if (local.get $left)
        (then
          (if (i32.eqz (i32.load8_u offset=8 (local.get $from)))
            (then
              (local.set $due (i64.load offset=24 (local.get $from)))
              (if (i32.eqz (i32.and (i32.load16_u offset=40 (local.get $from)) (i32.const 1)))
                (then (local.set $due (i64.add (global.get $now) (local.get $due)))))
              (if (i64.lt_u (global.get $now) (local.get $due))
                (then (global.set $now (local.get $due))))
              (i64.store (local.get $to) (i64.load (local.get $from)))
              (i64.store offset=8 (local.get $to) (i64.const 0))
              (i64.store offset=16 (local.get $to) (i64.const 0))
              (i64.store offset=24 (local.get $to) (i64.const 0))
              (local.set $to (i32.add (local.get $to) (i32.const 32)))))
          (local.set $from (i32.add (local.get $from) (i32.const 48)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $each))))
    (i32.store (local.get $count) (i32.shr_u (i32.sub (local.get $to) (local.get $first)) (i32.const 5)))
    (i32.const 0))
  (func (export "sched_yield") (result i32) i32.const 0)

  ;; Random bytes of xorshift64 (Marsaglia, 2003): the same in each instance.
  (global $random (mut i64) (i64.const 0x5745495257454952))
  (func (export "random_get") (param $to i32) (param $length i32) (result i32)
    (local $end i32)
    (local $x i64)
    (local.set $end (i32.add (local.get $to) (local.get $length)))
    (local.set $x (global.get $random))
    (loop $each
      (if (i32.ne (local.get $to) (local.get $end))
        (then
          (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
          (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
          (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
          (i64.store8 (local.get $to) (i64.shr_u (local.get $x) (i64.const 32)))
          (local.set $to (i32.add (local.get $to) (i32.const 1)))
          (br $each))))
    (global.set $random (local.get $x))
    (i32.const 0))

  ;; Output goes to the log, standard output as info (2), the rest as a warning (1). Runtimes write their last words in
  ;; pieces: with a buffer that the plugin lends they are put together to lines, without one each piece is a line.
  (global $lent (mut i32) (i32.const 0))
  (global $room (mut i32) (i32.const 0))
  (global $held (mut i32) (i32.const 0))
  (func (export "lend_line") (param $at i32) (param $length i32)
    (global.set $lent (local.get $at))
    (global.set $room (local.get $length)))
  (func $end_line (param $level i32)
    (if (global.get $held)
      (then (call $log (local.get $level) (global.get $lent) (global.get $held))))
    (global.set $held (i32.const 0)))
  (func $hold (param $level i32) (param $at i32) (param $end i32)
    (local $byte i32)
    (loop $each
      (if (i32.ne (local.get $at) (local.get $end))
        (then
          (local.set $byte (i32.load8_u (local.get $at)))
          (if (i32.eq (local.get $byte) (i32.const 10))
            (then (call $end_line (local.get $level)))
            (else
              (i32.store8 (i32.add (global.get $lent) (global.get $held)) (local.get $byte))
              (global.set $held (i32.add (global.get $held) (i32.const 1)))
              (if (i32.eq (global.get $held) (global.get $room))
                (then (call $end_line (local.get $level))))))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $each)))))
  (func (export "fd_write") (param $fd i32) (param $pieces i32) (param $left i32) (param $written i32) (result i32)
    (local $level i32)
    (local $at i32)
    (local $length i32)
    (local $sum i32)
    (local.set $level (i32.add (i32.const 1) (i32.eq (local.get $fd) (i32.const 1))))
    (loop $each
      (if (local.get $left)
        (then
          (local.set $at (i32.load (local.get $pieces)))
          (local.set $length (i32.load offset=4 (local.get $pieces)))
          (local.set $sum (i32.add (local.get $sum) (local.get $length)))
          (if (global.get $room)
            (then (call $hold (local.get $level) (local.get $at) (i32.add (local.get $at) (local.get $length))))
            (else
              (if (local.get $length)
                (then (call $log (local.get $level) (local.get $at) (local.get $length))))))
          (local.set $pieces (i32.add (local.get $pieces) (i32.const 8)))
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $each))))
    (i32.store (local.get $written) (local.get $sum))
    (i32.const 0))
  (func (export "proc_exit") (param $code i32)
    (call $end_line (i32.const 1))
    unreachable)
  (func (export "proc_raise") (param $signal i32) (result i32)
    (call $end_line (i32.const 1))
    unreachable)

  ;; No argument, no environment.
  (func (export "args_sizes_get") (export "environ_sizes_get") (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (func (export "args_get") (export "environ_get") (param i32 i32) (result i32) i32.const 0)

  ;; Of files there are the three that are always open: character devices (2), with the right to read and write (66).
  (func (export "fd_fdstat_get") (param $fd i32) (param $to i32) (result i32)
    (if (i32.gt_u (local.get $fd) (i32.const 2))
      (then (return (i32.const 8))))
    (i64.store (local.get $to) (i64.const 2))
    (i64.store offset=8 (local.get $to) (i64.const 66))
    (i64.store offset=16 (local.get $to) (i64.const 0))
    (i32.const 0))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) i32.const 0)
  (func (export "fd_close") (param i32) (result i32) i32.const 0)
  (func (export "fd_read") (param $fd i32) (param $to i32) (param $count i32) (param $read i32) (result i32)
    (i32.store (local.get $read) (i32.const 0))
    (i32.const 0))

  ;; No other file is open (8, bad descriptor), by signature.
  (func (export "fd_sync") (export "fd_datasync") (param i32) (result i32) i32.const 8)
  (func (export "fd_prestat_get") (export "fd_filestat_get") (export "fd_tell") (export "fd_renumber")
    (param i32 i32) (result i32) i32.const 8)
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) i32.const 8)
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) i32.const 8)
  (func (export "fd_allocate") (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) i32.const 8)
  (func (export "fd_advise") (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) i32.const 8)
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) i32.const 8)
  (func (export "fd_pread") (export "fd_pwrite") (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32)
    i32.const 8)

  ;; None can be opened, and nobody calls (52, not supported), by signature.
  (func (export "sock_shutdown") (param i32 i32) (result i32) i32.const 52)
  (func (export "path_create_directory") (export "path_remove_directory") (export "path_unlink_file")
    (export "sock_accept") (param i32 i32 i32) (result i32) i32.const 52)
  (func (export "path_filestat_get") (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) i32.const 52)
  (func (export "path_readlink") (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) i32.const 52)
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) i32.const 52)
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) i32.const 52)
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) i32.const 52))
