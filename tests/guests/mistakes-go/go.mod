module mistakes-go

go 1.24

require weir v0.0.0

// `weir plugin build` puts the SDK there.
replace weir => ./.weir
