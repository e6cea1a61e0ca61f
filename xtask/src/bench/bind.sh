# One NVMe drive to vfio-pci and back, in turn by bare writes, passthru and driverctl.
# In: ROUNDS. Out: a line `WAY MICROSECONDS` for each time, `driverctl stuck` if it did not come back.
BDF=0000:03:00.0
DEVICE=/sys/bus/pci/devices/$BDF
PROBE=/sys/bus/pci/drivers_probe

timed() {
	local way=$1 begin end
	shift
	begin=$EPOCHREALTIME
	"$@" >/tmp/said 2>&1 || { echo "$way: $(cat /tmp/said)" >&2; exit 1; }
	end=$EPOCHREALTIME
	echo "$way $((${end/./} - ${begin/./}))"
}
# The drive's namespaces are looked for after its driver has it: nothing starts before that is over.
settle() {
	until [ -b /dev/nvme0n1 ]; do sleep 0.05; done
	udevadm settle
}

control=$(cat $DEVICE/power/control)
d3cold=$(cat $DEVICE/d3cold_allowed)
bare() {
	echo $BDF >$DEVICE/driver/unbind
	echo vfio-pci >$DEVICE/driver_override
	echo $BDF >$PROBE
	echo on >$DEVICE/power/control
	echo 0 >$DEVICE/d3cold_allowed

	echo "$d3cold" >$DEVICE/d3cold_allowed
	echo "$control" >$DEVICE/power/control
	echo $BDF >$DEVICE/driver/unbind
	echo >$DEVICE/driver_override
	echo $BDF >$PROBE
}
passthru_both() { passthru bind $BDF && passthru release $BDF; }
# It has no deadline of its own.
driverctl_both() {
	timeout 60 driverctl --nosave set-override $BDF vfio-pci && timeout 60 driverctl --nosave unset-override $BDF
}
# What both verbs take before they do anything: the program, and the child that writes for it.
starts() {
	passthru --version && passthru __writer </dev/null
	passthru --version && passthru __writer </dev/null
}

settle
modprobe vfio-pci
timed warm passthru_both
settle
for _ in $(seq "$ROUNDS"); do
	timed bare bare
	settle
	timed passthru passthru_both
	settle
	timed starts starts
	if [ ! -e /tmp/stuck ]; then
		(timed driverctl driverctl_both) || { touch /tmp/stuck; echo driverctl stuck; }
		settle
	fi
done
