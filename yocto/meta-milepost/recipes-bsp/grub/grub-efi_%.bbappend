# milepost-grub.cfg takes the disk that it was started from out of $root, and starts anew where a system has no kernel.
GRUB_BUILDIN:append:milepost = " reboot regexp"
