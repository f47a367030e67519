# Debian 12's packages as imported targets. What is missing is named with the package that has it.

include(SluiceLibraries)
sluice_find_libraries(sluice_missing)

function(sluice_need package debian_package)
    find_package(${package} QUIET)
    if(NOT ${package}_FOUND)
        list(APPEND sluice_missing "${package} (${debian_package})")
        set(sluice_missing "${sluice_missing}" PARENT_SCOPE)
    endif()
endfunction()

if(SLUICE_PROGRAMS OR SLUICE_TESTS OR SLUICE_BENCHMARKS)
    sluice_need(mimalloc libmimalloc-dev)
    sluice_need(nlohmann_json nlohmann-json3-dev)
endif()
if(SLUICE_PROGRAMS AND NOT TARGET PkgConfig::libuv)  # an example is written with it
    find_package(PkgConfig QUIET)
    pkg_check_modules(libuv QUIET IMPORTED_TARGET libuv)
    if(NOT TARGET PkgConfig::libuv)
        list(APPEND sluice_missing "libuv (libuv1-dev)")
    endif()
endif()
if(SLUICE_TESTS)
    sluice_need(GTest libgtest-dev)
endif()
if(SLUICE_BENCHMARKS)
    sluice_need(benchmark libbenchmark-dev)
endif()

if(sluice_missing)
    list(JOIN sluice_missing ", " sluice_missing)
    message(FATAL_ERROR "sluice: not found: ${sluice_missing}. In parentheses: Debian's package; "
        "tools/install-packages build test installs them all.")
endif()
