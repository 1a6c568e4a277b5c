"""an object detector"""
