#compdef passthru

autoload -U is-at-least

_passthru() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_passthru_commands" \
"*::: :->passthru" \
&& ret=0
    case $state in
    (passthru)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:passthru-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'-a[Bridges and host bridges too, which always stay with the host]' \
'--all[Bridges and host bridges too, which always stay with the host]' \
'-t[Draw how devices hang below bridges]' \
'--tree[Draw how devices hang below bridges]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--wake[Read the registers of a sleeping device, which wakes it]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':device -- Address, registered name, or vendor\:device:_default' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::devices -- Addresses, registered names, or vendor\:device, of what is meant for guests:_default' \
&& ret=0
;;
(prepare)
_arguments "${_arguments_options[@]}" : \
'(--undo)--hugepages=[Reserve so much memory as hugepages at boot, as in 64G]:SIZE:_default' \
'--hugepage-size=[The size of one hugepage, as in 2M or 1G; without it, the largest that fits]:SIZE:_default' \
'(--undo --once)--group=[Let members of this group use devices that are bound\: the nodes of VFIO are theirs, and they may lock a guest'\''s memory]:NAME:_default' \
'(--undo --once)*--service=[Let this systemd service lock a guest'\''s memory\: it runs guests with devices, and not as root]:UNIT:_default' \
'(--undo)*--argument=[One more boot argument, as in pcie_aspm=off; it replaces another value of the same name]:WORD:_default' \
'(--undo --once)--rom-folder=[Let libvirt'\''s guests read the ROM files in this folder]:DIR:_default' \
'(--undo)*--override=[Let go what the host needs, by the code of the refusal]:CODE:(root_disk disk_in_use only_network boot_framebuffer console reset_hits_others uses_unknown holders_unknown)' \
'--changed=[What becomes of files that somebody changed since, with --undo]:WHAT:((keep\:"They keep the changes and lose what was prepared; where both are about the same lines, they stay as they are"
put-back\:"They get back what they had before the preparation, unless that names kernels which are gone; the changes are lost"))' \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'(--undo)--once[Change nothing for good\: add an entry to the boot menu, a copy of the usual one with \`- passthru testing\` in its title, and boot it once]' \
'--undo[Put back what all preparations changed]' \
'-y[Do it without asking]' \
'--yes[Do it without asking]' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::devices -- Addresses, registered names, or vendor\:device, of what is meant for guests:_default' \
&& ret=0
;;
(device)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
":: :_passthru__subcmd__device_commands" \
"*::: :->device" \
&& ret=0

    case $state in
    (device)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:passthru-device-command-$line[1]:"
        case $line[1] in
            (add)
_arguments "${_arguments_options[@]}" : \
'--name=[1 to 63 of a-z, 0-9, \`_\`, \`.\` and \`-\`, the first a letter or a digit, and no address]:NAME:_default' \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':device -- Address, or vendor\:device:_default' \
&& ret=0
;;
(list)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(remove)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- A name from `passthru device list`:_default' \
&& ret=0
;;
        esac
    ;;
esac
;;
(bind)
_arguments "${_arguments_options[@]}" : \
'--driver=[The driver, where it is a variant of vfio-pci]:NAME:_default' \
'*--override=[Let go what the host needs, by the code of the refusal]:CODE:(root_disk disk_in_use only_network boot_framebuffer console reset_hits_others uses_unknown holders_unknown)' \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--persist[From every boot on, too; what is written for that is shown first]' \
'-y[Write what --persist writes without asking]' \
'--yes[Write what --persist writes without asking]' \
'(--persist --driver)--persisted[Whatever --persist wrote down, as the unit at boot does]' \
'--stop-services[Stop services that hold a device, and start them again on release]' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::devices -- Addresses, registered names, or vendor\:device:_default' \
&& ret=0
;;
(release)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--forget[From the next boot on, too\: what \`passthru bind --persist\` wrote down is taken back, and shown first]' \
'-y[Take that back without asking]' \
'--yes[Take that back without asking]' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::devices -- Addresses, registered names, or vendor\:device:_default' \
&& ret=0
;;
(run)
_arguments "${_arguments_options[@]}" : \
'*-d+[A device to hand over\: address, registered name, or vendor\:device]:DEVICE:_default' \
'*--device=[A device to hand over\: address, registered name, or vendor\:device]:DEVICE:_default' \
'--on=[The hypervisor; \`null\` starts nothing and shows what it would have]:HYPERVISOR:(qemu null)' \
'--kernel=[A kernel to boot without a boot loader]:FILE:_files' \
'--initrd=[The kernel'\''s initial file system]:FILE:_files' \
'--append=[The kernel'\''s command line; without it, the kernel speaks on the console]:TEXT:_default' \
'--firmware=[What runs before the operating system]:FIRMWARE:((default\:"What the machine brings (SeaBIOS, SLOF)"
uefi\:"OVMF, with variables of the guest'\''s own"))' \
'--memory=[Memory, as in 4G]:SIZE:_default' \
'--cpus=[Virtual processors]:N:_default' \
'--accel=[What runs its instructions\: \`auto\` is KVM where it can be used]:ACCEL:(auto kvm tcg)' \
'--machine-type=[The machine that is emulated (q35, pseries, pc-q35-9.2)]:NAME:_default' \
'--viommu=[An emulated IOMMU in the guest\: \`auto\` where a device needs it; \`--viommu\` alone is \`on\`]::VIOMMU:(auto on off)' \
'--hugepages=[Take its memory from hugepages\: \`auto\`, \`on\`, \`off\`, or a size as in 1G; \`auto\` is when enough are free near the devices, \`--hugepages\` alone is \`on\`]::WHEN:_default' \
'--spare-ports=[Empty ports for devices that come while it runs]:N:_default' \
'--network=[Its network\: \`user\`, \`none\`, or \`tap\:INTERFACE\`]:NETWORK:_default' \
'*--forward=[A port of this host'\''s loopback that leads to one of the guest]:HOST:GUEST:_default' \
'--program=[The hypervisor'\''s program, when it is not the usual one]:FILE:_files' \
'*--override=[Let go what the host needs, by the code of the refusal]:CODE:(root_disk disk_in_use only_network boot_framebuffer console reset_hits_others uses_unknown holders_unknown)' \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--hidden[Hide from the guest that it runs on KVM]' \
'--iommufd[Use /dev/iommu in place of the VFIO container]' \
'--stop-services[Stop services that hold a device, and start them again on release]' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- The instance'\''s name\: 1 to 63 of a-z, 0-9, `_`, `.` and `-`, the first a letter or a digit:_default' \
'::image -- A disk image (qcow2, raw) or block device; it is never written, the guest gets a layer of its own over it:_files' \
'*::extra -- Behind `--`\: added to the hypervisor'\''s command line as they are:_default' \
&& ret=0
;;
(instance)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
":: :_passthru__subcmd__instance_commands" \
"*::: :->instance" \
&& ret=0

    case $state in
    (instance)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:passthru-instance-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- A name from `passthru instance list`:_default' \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
'--grace=[How long its operating system may take to shut down, in seconds]:SECONDS:_default' \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- A name from `passthru instance list`:_default' \
&& ret=0
;;
(delete)
_arguments "${_arguments_options[@]}" : \
'--grace=[How long its operating system may take to shut down, in seconds]:SECONDS:_default' \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--stop[Stop it first if it runs]' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- A name from `passthru instance list`:_default' \
&& ret=0
;;
(logs)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'(--json)-f[Go on until the instance ends]' \
'(--json)--follow[Go on until the instance ends]' \
'--hypervisor[What the hypervisor said, in place of the guest]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- A name from `passthru instance list`:_default' \
&& ret=0
;;
(console)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':name -- A name from `passthru instance list`:_default' \
&& ret=0
;;
        esac
    ;;
esac
;;
(attach)
_arguments "${_arguments_options[@]}" : \
'--vm=[The instance]:NAME:_default' \
'*--override=[Let go what the host needs, by the code of the refusal]:CODE:(root_disk disk_in_use only_network boot_framebuffer console reset_hits_others uses_unknown holders_unknown)' \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--stop-services[Stop services that hold a device, and start them again on release]' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::devices -- Addresses, registered names, or vendor\:device:_default' \
&& ret=0
;;
(detach)
_arguments "${_arguments_options[@]}" : \
'--vm=[The instance]:NAME:_default' \
'--wait=[How long the guest may take to let go of each, in seconds]:SECONDS:_default' \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::devices -- Addresses, registered names, or vendor\:device:_default' \
&& ret=0
;;
(reset)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':device -- Address, registered name, or vendor\:device:_default' \
&& ret=0
;;
(recover)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--dry-run[Print what would be done, and do nothing]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(record)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--unmasked[Keep serial numbers, addresses and names as they are]' \
'--holders[Record which processes hold device nodes open, too]' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'::out -- A folder without a recording, or a file that does not exist; else standard output:_files' \
&& ret=0
;;
(completions)
_arguments "${_arguments_options[@]}" : \
'(--machine)--root=[Look at the machine whose tree is below DIR]:DIR:_files' \
'--machine=[Look at a recorded machine, a file or a folder (see \`passthru record\`)]:FILE:_files' \
'--state=[Where registered devices, instances and the journal are kept]:DIR:_files' \
'--deadline=[How long one write to the kernel may take before it is given up and its device is in doubt; an instance'\''s supervisor keeps to 30]:SECONDS:_default' \
'--json[Print JSON, errors included]' \
'-v[Say more about what is done]' \
'--verbose[Say more about what is done]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':shell -- The shell:(bash elvish fish powershell zsh)' \
&& ret=0
;;
        esac
    ;;
esac
}

(( $+functions[_passthru_commands] )) ||
_passthru_commands() {
    local commands; commands=(
'list:List the devices\: group, driver, and whether they can be passed through' \
'show:Show one device, whole\: what it is, where it is, who uses it, can it go' \
'check:Check whether this host is ready for guests with devices, and say what is missing' \
'prepare:Make this host ready for guests with devices\: boot arguments, modules, initramfs, services' \
'device:Names for devices' \
'bind:Move devices, with their whole IOMMU groups, to vfio-pci' \
'release:Give devices, with their whole IOMMU groups, back to their host drivers' \
'run:Start a virtual machine that has the devices' \
'instance:Guests that passthru started' \
'attach:Give devices to a running instance' \
'detach:Take devices back from a running instance, and give them to the host' \
'reset:Reset one device that neither the host nor a guest uses' \
'recover:Finish or undo what was interrupted' \
'record:Record this machine as text that \`--machine\` and umockdev can replay' \
'completions:Print completions for a shell' \
    )
    _describe -t commands 'passthru commands' commands "$@"
}
(( $+functions[_passthru__subcmd__attach_commands] )) ||
_passthru__subcmd__attach_commands() {
    local commands; commands=()
    _describe -t commands 'passthru attach commands' commands "$@"
}
(( $+functions[_passthru__subcmd__bind_commands] )) ||
_passthru__subcmd__bind_commands() {
    local commands; commands=()
    _describe -t commands 'passthru bind commands' commands "$@"
}
(( $+functions[_passthru__subcmd__check_commands] )) ||
_passthru__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'passthru check commands' commands "$@"
}
(( $+functions[_passthru__subcmd__completions_commands] )) ||
_passthru__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'passthru completions commands' commands "$@"
}
(( $+functions[_passthru__subcmd__detach_commands] )) ||
_passthru__subcmd__detach_commands() {
    local commands; commands=()
    _describe -t commands 'passthru detach commands' commands "$@"
}
(( $+functions[_passthru__subcmd__device_commands] )) ||
_passthru__subcmd__device_commands() {
    local commands; commands=(
'add:Give a device a name that stays with it, whatever its address becomes' \
'list:List the names and what they stand for' \
'remove:Forget a name; the device stays as it is' \
    )
    _describe -t commands 'passthru device commands' commands "$@"
}
(( $+functions[_passthru__subcmd__device__subcmd__add_commands] )) ||
_passthru__subcmd__device__subcmd__add_commands() {
    local commands; commands=()
    _describe -t commands 'passthru device add commands' commands "$@"
}
(( $+functions[_passthru__subcmd__device__subcmd__list_commands] )) ||
_passthru__subcmd__device__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'passthru device list commands' commands "$@"
}
(( $+functions[_passthru__subcmd__device__subcmd__remove_commands] )) ||
_passthru__subcmd__device__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'passthru device remove commands' commands "$@"
}
(( $+functions[_passthru__subcmd__instance_commands] )) ||
_passthru__subcmd__instance_commands() {
    local commands; commands=(
'list:List the instances' \
'show:Show one instance, and what happened to it' \
'stop:Stop an instance and give its devices back to the host' \
'delete:Forget an instance and remove its disk' \
'logs:Print what an instance said on its console' \
'console:Talk to an instance by its serial console; Ctrl-\] leaves' \
    )
    _describe -t commands 'passthru instance commands' commands "$@"
}
(( $+functions[_passthru__subcmd__instance__subcmd__console_commands] )) ||
_passthru__subcmd__instance__subcmd__console_commands() {
    local commands; commands=()
    _describe -t commands 'passthru instance console commands' commands "$@"
}
(( $+functions[_passthru__subcmd__instance__subcmd__delete_commands] )) ||
_passthru__subcmd__instance__subcmd__delete_commands() {
    local commands; commands=()
    _describe -t commands 'passthru instance delete commands' commands "$@"
}
(( $+functions[_passthru__subcmd__instance__subcmd__list_commands] )) ||
_passthru__subcmd__instance__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'passthru instance list commands' commands "$@"
}
(( $+functions[_passthru__subcmd__instance__subcmd__logs_commands] )) ||
_passthru__subcmd__instance__subcmd__logs_commands() {
    local commands; commands=()
    _describe -t commands 'passthru instance logs commands' commands "$@"
}
(( $+functions[_passthru__subcmd__instance__subcmd__show_commands] )) ||
_passthru__subcmd__instance__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'passthru instance show commands' commands "$@"
}
(( $+functions[_passthru__subcmd__instance__subcmd__stop_commands] )) ||
_passthru__subcmd__instance__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'passthru instance stop commands' commands "$@"
}
(( $+functions[_passthru__subcmd__list_commands] )) ||
_passthru__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'passthru list commands' commands "$@"
}
(( $+functions[_passthru__subcmd__prepare_commands] )) ||
_passthru__subcmd__prepare_commands() {
    local commands; commands=()
    _describe -t commands 'passthru prepare commands' commands "$@"
}
(( $+functions[_passthru__subcmd__record_commands] )) ||
_passthru__subcmd__record_commands() {
    local commands; commands=()
    _describe -t commands 'passthru record commands' commands "$@"
}
(( $+functions[_passthru__subcmd__recover_commands] )) ||
_passthru__subcmd__recover_commands() {
    local commands; commands=()
    _describe -t commands 'passthru recover commands' commands "$@"
}
(( $+functions[_passthru__subcmd__release_commands] )) ||
_passthru__subcmd__release_commands() {
    local commands; commands=()
    _describe -t commands 'passthru release commands' commands "$@"
}
(( $+functions[_passthru__subcmd__reset_commands] )) ||
_passthru__subcmd__reset_commands() {
    local commands; commands=()
    _describe -t commands 'passthru reset commands' commands "$@"
}
(( $+functions[_passthru__subcmd__run_commands] )) ||
_passthru__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'passthru run commands' commands "$@"
}
(( $+functions[_passthru__subcmd__show_commands] )) ||
_passthru__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'passthru show commands' commands "$@"
}

if [ "$funcstack[1]" = "_passthru" ]; then
    _passthru "$@"
else
    compdef _passthru passthru
fi
