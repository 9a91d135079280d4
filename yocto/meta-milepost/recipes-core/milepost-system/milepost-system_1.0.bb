SUMMARY = "What turns an image into a unit: its data partition, its watchdog, its limits"
DESCRIPTION = "Makes and opens the data partition, encrypted where the board has a TPM; lets the board's watchdog guard the \
system, and limits what a failing service may do."
SECTION = "base"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://${COREBASE}/meta/files/common-licenses/Apache-2.0;md5=89aea4e17d99a7cacdbeed46a0096b10"

SRC_URI = "\
    file://image.conf \
    file://boot-loader.mount \
    file://fw_env.config \
    file://journal-flush.conf \
    file://journald.conf \
    file://milepost-data \
    file://milepost-data.service \
    file://milepost-loader \
    file://plain.conf \
    file://system.conf \
    file://tpm.conf \
"

S = "${UNPACKDIR}"

inherit systemd features_check milepost_distro

REQUIRED_DISTRO_FEATURES = "systemd usrmerge"
# What the board's loader keeps is read and written by a tool of that loader.
PACKAGE_ARCH = "${MACHINE_ARCH}"

do_install() {
    install -d ${D}${sbindir} ${D}${systemd_system_unitdir} ${D}/boot/loader ${D}/data
    install -m 0755 ${S}/milepost-data ${S}/milepost-loader ${D}${sbindir}/
    install -m 0644 ${S}/milepost-data.service ${S}/boot-loader.mount ${D}${systemd_system_unitdir}/
    install -D -m 0644 ${S}/image.conf ${D}${systemd_system_unitdir}/milepost.service.d/20-image.conf
    install -D -m 0644 ${S}/system.conf ${D}${nonarch_libdir}/systemd/system.conf.d/50-milepost.conf
    install -D -m 0644 ${S}/journald.conf ${D}${nonarch_libdir}/systemd/journald.conf.d/50-milepost.conf
    install -D -m 0644 ${S}/journal-flush.conf ${D}${systemd_system_unitdir}/systemd-journal-flush.service.d/10-milepost.conf
    install -D -m 0644 ${S}/plain.conf ${D}${nonarch_libdir}/milepost/data/plain/data.conf
    install -D -m 0644 ${S}/tpm.conf ${D}${nonarch_libdir}/milepost/data/tpm/data.conf
    # Whose enrolments a unit takes.
    if [ -n "${MILEPOST_FLEET_KEY}" ]; then
        install -d ${D}${datadir}/milepost
        echo "${MILEPOST_FLEET_KEY}" > ${D}${datadir}/milepost/fleet.keys
    fi
    # Where the data partition shows itself; the root is read-only, so the places have to be there.
    install -d ${D}${sysconfdir}/milepost ${D}${localstatedir}/lib/milepost ${D}${localstatedir}/lib/systemd
}

do_install:append:raspberrypi5() {
    install -D -m 0644 ${S}/fw_env.config ${D}${sysconfdir}/fw_env.config
}

SYSTEMD_SERVICE:${PN} = "milepost-data.service boot-loader.mount"

FILES:${PN} += "\
    /boot/loader \
    /data \
    ${nonarch_libdir}/milepost \
    ${nonarch_libdir}/systemd \
    ${systemd_system_unitdir} \
    ${datadir}/milepost \
    ${sysconfdir}/milepost \
    ${localstatedir}/lib \
"

# The data partition, the keys of the unit (systemd-creds), and the network are of no use to whom lacks one of these.
RDEPENDS:${PN} = "\
    cryptsetup \
    e2fsprogs-e2fsck \
    e2fsprogs-mke2fs \
    systemd \
    systemd-extra-utils \
    systemd-networkd \
    util-linux-mount \
"
RDEPENDS:${PN}:append:qemux86-64 = " grub-editenv"
RDEPENDS:${PN}:append:raspberrypi5 = " libubootenv-bin"
