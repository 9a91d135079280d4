# milepost-grub.cfg takes the disk that it was started from out of $root.
GRUB_BUILDIN:append:milepost = " regexp"
