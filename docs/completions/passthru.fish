# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_passthru_global_optspecs
    string join \n root= machine= state= json deadline= v/verbose h/help V/version
end

function __fish_passthru_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_passthru_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_passthru_using_subcommand
    set -l cmd (__fish_passthru_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c passthru -n "__fish_passthru_needs_command" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_needs_command" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_needs_command" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_needs_command" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_needs_command" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_needs_command" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_needs_command" -s V -l version -d 'Print version'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "list" -d 'List the devices: group, driver, and whether they can be passed through'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "show" -d 'Show one device, whole: what it is, where it is, who uses it, can it go'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "check" -d 'Check whether this host is ready for guests with devices, and say what is missing'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "prepare" -d 'Make this host ready for guests with devices: boot arguments, modules, initramfs, services'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "device" -d 'Names for devices'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "bind" -d 'Move devices, with their whole IOMMU groups, to vfio-pci'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "release" -d 'Give devices, with their whole IOMMU groups, back to their host drivers'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "run" -d 'Start a virtual machine that has the devices'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "instance" -d 'Guests that passthru started'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "attach" -d 'Give devices to a running instance'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "detach" -d 'Take devices back from a running instance, and give them to the host'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "reset" -d 'Reset one device that neither the host nor a guest uses'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "recover" -d 'Finish or undo what was interrupted'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "record" -d 'Record this machine as text that `--machine` and umockdev can replay'
complete -c passthru -n "__fish_passthru_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c passthru -n "__fish_passthru_using_subcommand list" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand list" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand list" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand list" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand list" -s a -l all -d 'Bridges and host bridges too, which always stay with the host'
complete -c passthru -n "__fish_passthru_using_subcommand list" -s t -l tree -d 'Draw how devices hang below bridges'
complete -c passthru -n "__fish_passthru_using_subcommand list" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand list" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand show" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand show" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand show" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand show" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand show" -l wake -d 'Read the registers of a sleeping device, which wakes it'
complete -c passthru -n "__fish_passthru_using_subcommand show" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand show" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand check" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand check" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand check" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand check" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand check" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand check" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l hugepages -d 'Reserve so much memory as hugepages at boot, as in 64G' -r
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l hugepage-size -d 'The size of one hugepage, as in 2M or 1G; without it, the largest that fits' -r
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l group -d 'Let members of this group use devices that are bound: the nodes of VFIO are theirs, and they may lock a guest\'s memory' -r
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l service -d 'Let this systemd service lock a guest\'s memory: it runs guests with devices, and not as root' -r
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l argument -d 'One more boot argument, as in pcie_aspm=off; it replaces another value of the same name' -r
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l rom-folder -d 'Let libvirt\'s guests read the ROM files in this folder' -r
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l override -d 'Let go what the host needs, by the code of the refusal' -r -f -a "root_disk\t''
disk_in_use\t''
only_network\t''
boot_framebuffer\t''
console\t''
reset_hits_others\t''
uses_unknown\t''
holders_unknown\t''"
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l changed -d 'What becomes of files that somebody changed since, with --undo' -r -f -a "keep\t'They keep the changes and lose what was prepared; where both are about the same lines, they stay as they are'
put-back\t'They get back what they had before the preparation, unless that names kernels which are gone; the changes are lost'"
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l once -d 'Change nothing for good: add an entry to the boot menu, a copy of the usual one with `- passthru testing` in its title, and boot it once'
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l undo -d 'Put back what all preparations changed'
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -s y -l yes -d 'Do it without asking'
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand prepare" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand device; and not __fish_seen_subcommand_from add list remove" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and not __fish_seen_subcommand_from add list remove" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and not __fish_seen_subcommand_from add list remove" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and not __fish_seen_subcommand_from add list remove" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand device; and not __fish_seen_subcommand_from add list remove" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand device; and not __fish_seen_subcommand_from add list remove" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand device; and not __fish_seen_subcommand_from add list remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand device; and not __fish_seen_subcommand_from add list remove" -f -a "add" -d 'Give a device a name that stays with it, whatever its address becomes'
complete -c passthru -n "__fish_passthru_using_subcommand device; and not __fish_seen_subcommand_from add list remove" -f -a "list" -d 'List the names and what they stand for'
complete -c passthru -n "__fish_passthru_using_subcommand device; and not __fish_seen_subcommand_from add list remove" -f -a "remove" -d 'Forget a name; the device stays as it is'
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from add" -l name -d '1 to 63 of a-z, 0-9, `_`, `.` and `-`, the first a letter or a digit, and no address' -r
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from add" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from add" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from add" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from add" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from add" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from add" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from list" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from list" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from list" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from list" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from list" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from remove" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from remove" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from remove" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from remove" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from remove" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand device; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand bind" -l driver -d 'The driver, where it is a variant of vfio-pci' -r
complete -c passthru -n "__fish_passthru_using_subcommand bind" -l override -d 'Let go what the host needs, by the code of the refusal' -r -f -a "root_disk\t''
disk_in_use\t''
only_network\t''
boot_framebuffer\t''
console\t''
reset_hits_others\t''
uses_unknown\t''
holders_unknown\t''"
complete -c passthru -n "__fish_passthru_using_subcommand bind" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand bind" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand bind" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand bind" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand bind" -l persist -d 'From every boot on, too; what is written for that is shown first'
complete -c passthru -n "__fish_passthru_using_subcommand bind" -s y -l yes -d 'Write what --persist writes without asking'
complete -c passthru -n "__fish_passthru_using_subcommand bind" -l persisted -d 'Whatever --persist wrote down, as the unit at boot does'
complete -c passthru -n "__fish_passthru_using_subcommand bind" -l stop-services -d 'Stop services that hold a device, and start them again on release'
complete -c passthru -n "__fish_passthru_using_subcommand bind" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand bind" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand bind" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand bind" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand release" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand release" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand release" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand release" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand release" -l forget -d 'From the next boot on, too: what `passthru bind --persist` wrote down is taken back, and shown first'
complete -c passthru -n "__fish_passthru_using_subcommand release" -s y -l yes -d 'Take that back without asking'
complete -c passthru -n "__fish_passthru_using_subcommand release" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand release" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand release" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand release" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand run" -s d -l device -d 'A device to hand over: address, registered name, or vendor:device' -r
complete -c passthru -n "__fish_passthru_using_subcommand run" -l on -d 'The hypervisor; `null` starts nothing and shows what it would have' -r -f -a "qemu\t''
null\t''"
complete -c passthru -n "__fish_passthru_using_subcommand run" -l kernel -d 'A kernel to boot without a boot loader' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand run" -l initrd -d 'The kernel\'s initial file system' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand run" -l append -d 'The kernel\'s command line; without it, the kernel speaks on the console' -r
complete -c passthru -n "__fish_passthru_using_subcommand run" -l firmware -d 'What runs before the operating system' -r -f -a "default\t'What the machine brings (SeaBIOS, SLOF)'
uefi\t'OVMF, with variables of the guest\'s own'"
complete -c passthru -n "__fish_passthru_using_subcommand run" -l memory -d 'Memory, as in 4G' -r
complete -c passthru -n "__fish_passthru_using_subcommand run" -l cpus -d 'Virtual processors' -r
complete -c passthru -n "__fish_passthru_using_subcommand run" -l accel -d 'What runs its instructions: `auto` is KVM where it can be used' -r -f -a "auto\t''
kvm\t''
tcg\t''"
complete -c passthru -n "__fish_passthru_using_subcommand run" -l machine-type -d 'The machine that is emulated (q35, pseries, pc-q35-9.2)' -r
complete -c passthru -n "__fish_passthru_using_subcommand run" -l viommu -d 'An emulated IOMMU in the guest: `auto` where a device needs it; `--viommu` alone is `on`' -r -f -a "auto\t''
on\t''
off\t''"
complete -c passthru -n "__fish_passthru_using_subcommand run" -l hugepages -d 'Take its memory from hugepages: `auto`, `on`, `off`, or a size as in 1G; `auto` is when enough are free near the devices, `--hugepages` alone is `on`' -r
complete -c passthru -n "__fish_passthru_using_subcommand run" -l spare-ports -d 'Empty ports for devices that come while it runs' -r
complete -c passthru -n "__fish_passthru_using_subcommand run" -l network -d 'Its network: `user`, `none`, or `tap:INTERFACE`' -r
complete -c passthru -n "__fish_passthru_using_subcommand run" -l forward -d 'A port of this host\'s loopback that leads to one of the guest' -r
complete -c passthru -n "__fish_passthru_using_subcommand run" -l program -d 'The hypervisor\'s program, when it is not the usual one' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand run" -l override -d 'Let go what the host needs, by the code of the refusal' -r -f -a "root_disk\t''
disk_in_use\t''
only_network\t''
boot_framebuffer\t''
console\t''
reset_hits_others\t''
uses_unknown\t''
holders_unknown\t''"
complete -c passthru -n "__fish_passthru_using_subcommand run" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand run" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand run" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand run" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand run" -l hidden -d 'Hide from the guest that it runs on KVM'
complete -c passthru -n "__fish_passthru_using_subcommand run" -l iommufd -d 'Use /dev/iommu in place of the VFIO container'
complete -c passthru -n "__fish_passthru_using_subcommand run" -l stop-services -d 'Stop services that hold a device, and start them again on release'
complete -c passthru -n "__fish_passthru_using_subcommand run" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand run" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand run" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -f -a "list" -d 'List the instances'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -f -a "show" -d 'Show one instance, and what happened to it'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -f -a "stop" -d 'Stop an instance and give its devices back to the host'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -f -a "delete" -d 'Forget an instance and remove its disk'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -f -a "logs" -d 'Print what an instance said on its console'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and not __fish_seen_subcommand_from list show stop delete logs console" -f -a "console" -d 'Talk to an instance by its serial console; Ctrl-] leaves'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from list" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from list" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from list" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from list" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from list" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from show" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from show" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from show" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from show" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from show" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from stop" -l grace -d 'How long its operating system may take to shut down, in seconds' -r
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from stop" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from stop" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from stop" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from stop" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from stop" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from stop" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from stop" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from delete" -l grace -d 'How long its operating system may take to shut down, in seconds' -r
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from delete" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from delete" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from delete" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from delete" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from delete" -l stop -d 'Stop it first if it runs'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from delete" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from delete" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from delete" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from logs" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from logs" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from logs" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from logs" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Go on until the instance ends'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from logs" -l hypervisor -d 'What the hypervisor said, in place of the guest'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from logs" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from logs" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from console" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from console" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from console" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from console" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from console" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from console" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand instance; and __fish_seen_subcommand_from console" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand attach" -l vm -d 'The instance' -r
complete -c passthru -n "__fish_passthru_using_subcommand attach" -l override -d 'Let go what the host needs, by the code of the refusal' -r -f -a "root_disk\t''
disk_in_use\t''
only_network\t''
boot_framebuffer\t''
console\t''
reset_hits_others\t''
uses_unknown\t''
holders_unknown\t''"
complete -c passthru -n "__fish_passthru_using_subcommand attach" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand attach" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand attach" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand attach" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand attach" -l stop-services -d 'Stop services that hold a device, and start them again on release'
complete -c passthru -n "__fish_passthru_using_subcommand attach" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand attach" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand attach" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand attach" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand detach" -l vm -d 'The instance' -r
complete -c passthru -n "__fish_passthru_using_subcommand detach" -l wait -d 'How long the guest may take to let go of each, in seconds' -r
complete -c passthru -n "__fish_passthru_using_subcommand detach" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand detach" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand detach" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand detach" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand detach" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand detach" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand detach" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand detach" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand reset" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand reset" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand reset" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand reset" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand reset" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand reset" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand reset" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand reset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand recover" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand recover" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand recover" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand recover" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand recover" -l dry-run -d 'Print what would be done, and do nothing'
complete -c passthru -n "__fish_passthru_using_subcommand recover" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand recover" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand recover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand record" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand record" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand record" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand record" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand record" -l unmasked -d 'Keep serial numbers, addresses and names as they are'
complete -c passthru -n "__fish_passthru_using_subcommand record" -l holders -d 'Record which processes hold device nodes open, too'
complete -c passthru -n "__fish_passthru_using_subcommand record" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand record" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand record" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c passthru -n "__fish_passthru_using_subcommand completions" -l root -d 'Look at the machine whose tree is below DIR' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand completions" -l machine -d 'Look at a recorded machine, a file or a folder (see `passthru record`)' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand completions" -l state -d 'Where registered devices, instances and the journal are kept' -r -F
complete -c passthru -n "__fish_passthru_using_subcommand completions" -l deadline -d 'How long one write to the kernel may take before it is given up and its device is in doubt; an instance\'s supervisor keeps to 30' -r
complete -c passthru -n "__fish_passthru_using_subcommand completions" -l json -d 'Print JSON, errors included'
complete -c passthru -n "__fish_passthru_using_subcommand completions" -s v -l verbose -d 'Say more about what is done'
complete -c passthru -n "__fish_passthru_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
