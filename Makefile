# The two commands of a newcomer, and what they stand on. All real work is in cargo and in `cargo xtask`.
.PHONY: demo test setup bench

demo: setup    ## watch a device go into a guest and come back, in an emulated machine
	cargo xtask demo $(if $(findstring command,$(origin DEVICE)),$(DEVICE))

test: setup    ## all that CI checks
	cargo xtask test

setup:         ## install what this machine lacks (root or sudo)
	./setup/install

bench: setup   ## how fast, as ratios
	cargo xtask bench
