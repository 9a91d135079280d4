SUMMARY = "Roadside licence-plate unit"
DESCRIPTION = "Reads US licence plates from a roadside camera, compares them with the department's signed hot lists, raises \
alerts over mutual TLS, and takes itself out of service when it can no longer be trusted."
SECTION = "applications"
LICENSE = "Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57"

DEPENDS = "clang-native glib-2.0 gstreamer1.0 gstreamer1.0-plugins-base opencv systemd"

require ${BPN}-crates.inc

inherit cargo pkgconfig systemd useradd features_check externalsrc milepost_distro

REQUIRED_DISTRO_FEATURES = "systemd usrmerge"

# The layer is a part of the sources that it builds: program, units and configuration come from there, and bitbake fetches the
# pinned crates and nothing else.
EXTERNALSRC = "${@os.path.normpath(d.getVar('THISDIR') + '/../../../..')}"
EXTERNALSRC_SYMLINKS = ""
# A change of these builds anew. externalsrc would look at every file of the repository where the build's own folder is in it, and
# so at what bitbake itself writes there.
MILEPOST_SOURCES = "Cargo.lock Cargo.toml LICENSE appliance config systemd"
# nooelint: oelint.task.noanonpython
python () {
    sources = [d.getVar('EXTERNALSRC') + '/%s:True' % name for name in d.getVar('MILEPOST_SOURCES').split()]
    d.setVarFlag('do_compile', 'file-checksums', ' '.join(sources))
}

CARGO_BUILD_FLAGS:append = " --bin ${BPN}"
# A workspace's own settings for tests and benchmarks stay out of the product.
export CARGO_PROFILE_RELEASE_STRIP = "none"

# OpenCV's bindings are made by libclang, which has to look at the unit's headers instead of the builder's.
export LIBCLANG_PATH = "${STAGING_LIBDIR_NATIVE}"
do_compile:prepend() {
    headers=$(ls -d ${STAGING_INCDIR}/c++/[0-9]* | tail -n 1)
    export OPENCV_CLANG_ARGS="--target=${TARGET_SYS} --sysroot=${STAGING_DIR_TARGET} -isystem $headers -isystem $headers/${TARGET_SYS}"
}

do_install() {
    ${S}/systemd/install ${D}
    install -d ${D}${bindir}
    install -m 0755 ${B}/target/${CARGO_TARGET_SUBDIR}/${BPN} ${D}${bindir}/
    if [ -n "${MILEPOST_CONSOLE}" ]; then
        sed -i 's|^#listen = .*|listen = "${MILEPOST_CONSOLE}"|' ${D}${datadir}/milepost/unenrolled.toml
    fi
}

SYSTEMD_SERVICE:${PN} = "\
    milepost.service milepost-check.service milepost-check.timer milepost-network.service milepost-network.path \
"

# As systemd/milepost.sysusers.conf has it; the image's root is read-only, so the user has to be there before.
USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system video; --system render"
USERADD_PARAM:${PN} = "--system --user-group --no-create-home --home-dir ${localstatedir}/lib/milepost \
    --shell ${base_sbindir}/nologin --comment 'Milepost plate reader' milepost"

FILES:${PN} += "\
    ${nonarch_libdir}/sysusers.d \
    ${nonarch_libdir}/tmpfiles.d \
    ${nonarch_libdir}/udev \
    ${systemd_system_unitdir} \
"

RDEPENDS:${PN} += "\
    glib-networking \
    gstreamer1.0-plugins-bad-meta \
    gstreamer1.0-plugins-base-meta \
    gstreamer1.0-plugins-good-meta \
"
