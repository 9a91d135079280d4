FILESEXTRAPATHS:prepend:milepost := "${THISDIR}/files:"

SRC_URI:append:milepost = " file://no-prompt.cfg"
