# How our own code is compiled: warnings, sanitizers, coverage, ccache, precompiled headers.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND PROJECT_IS_TOP_LEVEL)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, RelWithDebInfo or Debug" FORCE)
endif()

if(SLUICE_CCACHE AND PROJECT_IS_TOP_LEVEL)
    find_program(SLUICE_CCACHE_PROGRAM ccache)
    if(SLUICE_CCACHE_PROGRAM)
        # The two settings make ccache accept precompiled headers (ccache(1), "Precompiled headers").
        set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
            ${SLUICE_CCACHE_PROGRAM})
    endif()
endif()

set(SLUICE_WARNINGS -Wall -Wextra -Wpedantic -Wconversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ 12 sees phantoms in coroutines and inlined std::string code at -O2 (PR105593, PR105329, PR106199).
    list(APPEND SLUICE_WARNINGS -Wno-restrict -Wno-maybe-uninitialized -Wno-array-bounds)
endif()
if(SLUICE_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code hides from g++ that two branches exclude each other, how long a short text is, and which operator
    # new a coroutine's promise has; the sanitizer itself sees what is real. Errors are what the other presets make of
    # warnings.
    list(APPEND SLUICE_WARNINGS -Wno-use-after-free -Wno-mismatched-new-delete -Wno-stringop-overflow -Wno-stringop-overread)
    set(SLUICE_WERROR OFF)
endif()
if(SLUICE_WERROR)
    list(APPEND SLUICE_WARNINGS -Werror)
endif()

add_library(sluice_options INTERFACE)
target_compile_options(sluice_options INTERFACE ${SLUICE_WARNINGS})
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(sluice_options INTERFACE -fpch-preprocess)
endif()

if(SLUICE_SANITIZE)
    # What optimising inlines is instrumented over again: -Og compiles in half the time of -O2, and the tests take little longer.
    add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1 -Og)
    add_link_options(-fsanitize=${SLUICE_SANITIZE})
    string(REPLACE "," ";" sluice_sanitizers "${SLUICE_SANITIZE}")
    if("thread" IN_LIST sluice_sanitizers AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        add_compile_options(-Wno-tsan)  # fences in Boost.Asio; ours are seq_cst operations
    endif()
endif()
if(SLUICE_COVERAGE)
    add_compile_options(--coverage -O0)
    add_link_options(--coverage)
endif()
