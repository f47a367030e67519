# cmake --install: headers, libraries, and the package that find_package(sluice) reads.

if(NOT SLUICE_INSTALL)
    return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(sluice_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sluice)
set(sluice_installed sluice)
if(TARGET sluice_testing)
    list(APPEND sluice_installed sluice_testing)
endif()

install(DIRECTORY include/sluice DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(TARGETS ${sluice_installed} EXPORT sluiceTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT sluiceTargets NAMESPACE sluice:: DESTINATION ${sluice_package_dir})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/sluiceConfig.cmake.in ${PROJECT_BINARY_DIR}/sluiceConfig.cmake
    INSTALL_DESTINATION ${sluice_package_dir})
# Before 1.0 a minor version may change what a caller sees.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sluiceConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sluiceConfig.cmake ${PROJECT_BINARY_DIR}/sluiceConfigVersion.cmake
    ${CMAKE_CURRENT_LIST_DIR}/SluiceLibraries.cmake DESTINATION ${sluice_package_dir})
