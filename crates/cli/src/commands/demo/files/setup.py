from setuptools import setup, find_packages

setup(
    name='SyncStorage',
    version='@VERSION@',
    description='Sync storage server',
    packages=find_packages(),
    install_requires=['pyramid', 'sqlalchemy'],
)
