"""Build the kernel, where there is a C compiler; without it numpy does the same work."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "otium.entropy._kernel",
            ["src/otium/entropy/kernel.c"],
            extra_compile_args=[
                "-O3",
                "-std=c11",
                "-ffp-contract=off",
                "-fvisibility=hidden",
                "-g0",
            ],
            py_limited_api=True,
            optional=True,
        )
    ],
)
