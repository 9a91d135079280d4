SUMMARY = "Installs signed updates, keeps the good and leaves the bad"
DESCRIPTION = "Installs an update from a USB stick by RAUC, keeps the new system once the appliance works on it, and lets the \
board return to the one before where it does not."
SECTION = "base"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COREBASE}/meta/files/common-licenses/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

SRC_URI = "\
    file://milepost-good \
    file://milepost-good.service \
    file://milepost-good.timer \
    file://milepost-update \
    file://milepost-update.rules \
    file://milepost-update@.service \
"

S = "${UNPACKDIR}"

inherit systemd features_check milepost_distro

REQUIRED_DISTRO_FEATURES = "systemd usrmerge"
PACKAGE_ARCH = "${MACHINE_ARCH}"

do_install() {
    install -d ${D}${sbindir} ${D}${systemd_system_unitdir} ${D}${nonarch_libdir}/udev/rules.d
    install -m 0755 ${S}/milepost-good ${S}/milepost-update ${D}${sbindir}/
    install -m 0644 ${S}/milepost-good.service ${S}/milepost-good.timer ${S}/milepost-update@.service \
        ${D}${systemd_system_unitdir}/
    install -m 0644 ${S}/milepost-update.rules ${D}${nonarch_libdir}/udev/rules.d/71-milepost-update.rules
}

SYSTEMD_SERVICE:${PN} = "milepost-good.timer"
SYSTEMD_AUTO_ENABLE:${PN} = "enable"

FILES:${PN} += "${nonarch_libdir}/udev ${systemd_system_unitdir}"

RDEPENDS:${PN} = "milepost-system rauc rauc-conf rauc-service systemd-extra-utils util-linux-mount"
