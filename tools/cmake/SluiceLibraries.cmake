# Finds what the library itself links. The build uses this file, and the installed package uses its copy of it, so that
# both always agree: whoever links sluice::sluice need not know what it is made of.
#
# sluice_find_libraries(OUT): makes the imported targets that `sluice` links; OUT is empty, or names what is missing
# and the Debian package that has it.

# Makes PkgConfig::NAME of a module that pkg-config knows, or appends WHAT to the list that is called MISSING.
function(sluice_find_module missing_list name module what)
    if(NOT TARGET PkgConfig::${name})
        pkg_check_modules(${name} QUIET IMPORTED_TARGET GLOBAL ${module})
        if(NOT TARGET PkgConfig::${name})
            set(${missing_list} ${${missing_list}} "${what}" PARENT_SCOPE)
        endif()
    endif()
endfunction()

function(sluice_find_libraries out)
    set(missing)

    find_package(Threads QUIET)
    if(NOT Threads_FOUND)
        list(APPEND missing "a threads library (libc6-dev)")
    endif()
    find_package(Boost 1.81 QUIET)
    if(NOT Boost_FOUND)
        list(APPEND missing "Boost 1.81 or newer (libboost1.81-dev)")
    endif()
    find_package(fmt 9 QUIET)
    if(NOT fmt_FOUND)
        list(APPEND missing "fmt 9 or newer (libfmt-dev)")
    endif()

    find_package(PkgConfig QUIET)
    if(NOT PkgConfig_FOUND)
        list(APPEND missing "pkg-config (pkg-config)")
    else()
        sluice_find_module(missing liburing liburing>=2.3 "liburing 2.3 or newer (liburing-dev)")
        # The codecs.
        sluice_find_module(missing zlib zlib "zlib (zlib1g-dev)")
        sluice_find_module(missing snappy snappy "Snappy (libsnappy-dev)")
        sluice_find_module(missing lz4 liblz4>=1.9 "LZ4 1.9 or newer (liblz4-dev)")
        sluice_find_module(missing zstd libzstd>=1.4 "Zstandard 1.4 or newer (libzstd-dev)")
    endif()

    find_path(ISAL_INCLUDE_DIR isa-l/crc.h)
    find_library(ISAL_LIBRARY isal)
    mark_as_advanced(ISAL_INCLUDE_DIR ISAL_LIBRARY)
    if(NOT ISAL_INCLUDE_DIR OR NOT ISAL_LIBRARY)
        list(APPEND missing "ISA-L (libisal-dev)")
    elseif(NOT TARGET sluice_isal)
        add_library(sluice_isal INTERFACE IMPORTED GLOBAL)
        set_target_properties(sluice_isal PROPERTIES
            INTERFACE_INCLUDE_DIRECTORIES "${ISAL_INCLUDE_DIR}"
            INTERFACE_LINK_LIBRARIES "${ISAL_LIBRARY}")
    endif()

    list(JOIN missing ", " missing)
    set(${out} "${missing}" PARENT_SCOPE)
endfunction()
