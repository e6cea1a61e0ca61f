# A guest with one NVMe drive, to its first line on the console: in turn by passthru and typed by hand.
# In: ROUNDS, and HAND, the command line that passthru itself would use. Out: a line `WAY MICROSECONDS` for each time.
BDF=0000:03:00.0
DEVICE=/sys/bus/pci/devices/$BDF
GUEST="--device $BDF --kernel /lab/guest/vmlinuz --initrd /lab/guest/initrd.img"
INSTANCES=/var/lib/passthru/instances

# Until a whole line is there. The shell reads it by itself: starting programs would slow the guest.
first_line() {
	local line
	until read -r line <"$1"; do read -rt 0.02 <> <(:); done 2>/dev/null
}
timed() {
	local way=$1 log=$2 begin end
	begin=$EPOCHREALTIME
	"$way" >/tmp/said 2>&1 || { echo "$way: $(cat /tmp/said)" >&2; exit 1; }
	first_line "$log"
	end=$EPOCHREALTIME
	echo "$way $((${end/./} - ${begin/./}))"
}
# The guest is not asked to shut down: that takes longer than what is measured.
end_guest() {
	pkill -KILL -x qemu-system-x86
	while pgrep -x qemu-system-x86 >/dev/null; do sleep 0.1; done
}
settle() {
	until [ -b /dev/nvme0n1 ]; do sleep 0.1; done
	udevadm settle
}

passthru_run() { passthru run bench $GUEST; }
by_hand() {
	echo $BDF >$DEVICE/driver/unbind
	echo vfio-pci >$DEVICE/driver_override
	echo $BDF >/sys/bus/pci/drivers_probe
	setsid $HAND </dev/null >/tmp/hand.log 2>&1 &
}
give_back() {
	echo $BDF >$DEVICE/driver/unbind
	echo >$DEVICE/driver_override
	echo $BDF >/sys/bus/pci/drivers_probe
}

settle
modprobe vfio-pci
for _ in $(seq "$ROUNDS"); do
	timed passthru_run $INSTANCES/bench/console.log
	end_guest
	settle
	passthru instance delete bench >/dev/null

	mkdir -p $INSTANCES/hand
	timed by_hand $INSTANCES/hand/console.log
	end_guest
	give_back
	settle
	rm -rf $INSTANCES/hand
done
