"""single operations"""
